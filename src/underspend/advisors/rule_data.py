"""The data files beside the advisors: rules that come from research, each with its source."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any


@cache
def rules(name: str) -> dict[str, Any]:
    """The decoded `data/<name>.toml`."""
    return tomllib.loads((resources.files("underspend.advisors") / "data" / f"{name}.toml").read_text("utf-8"))

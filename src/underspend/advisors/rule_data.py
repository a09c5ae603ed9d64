"""The data files beside the advisors: rules that come from research, each with its source."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

_DATA = Path(__file__).with_name("data")


@cache
def rules(name: str) -> dict[str, Any]:
    """The decoded `data/<name>.toml`."""
    return tomllib.loads((_DATA / f"{name}.toml").read_text("utf-8"))

"""What the cache's key takes from a model besides its name."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from underspend.promptcache.prompt import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How a model treats its settings.

    `effort` and `thinking` are its own defaults: leaving a setting out is the same as asking for them. A model that
    `strips_thinking` drops the thinking of finished turns from the prompt. One that `ignores_speed` serves and caches
    "fast" as standard. One that `binds_thinking` refuses its own thinking under a prompt that was changed before it; a
    model that is not named is taken to, for refusing costs more than keeping.
    """

    effort: str = "high"
    thinking: str = "disabled"
    strips_thinking: bool = False
    ignores_speed: bool = False
    binds_thinking: bool = True


@lru_cache(maxsize=256)
def facts(model: str) -> Facts:
    """The facts of a model by its listed id; the commonest ones for any other. Their sources stand in the data."""
    data, plain = _data(), Facts()
    return Facts(
        effort=data["defaults"]["effort"].get(model, plain.effort),
        thinking=data["defaults"]["thinking"].get(model, plain.thinking),
        strips_thinking=model in data["strips_thinking"]["models"],
        ignores_speed=model in data["ignores_speed"]["models"],
        binds_thinking=model not in data["leaves_thinking_unbound"]["models"],
    )


def settings_of(model: str, effort: str | None, speed: str | None) -> Settings:
    """What the cache's key holds of a call to a model, by its listed id, as far as it stands outside the blocks."""
    known = facts(model)
    is_fast = speed not in {None, "standard"} and not known.ignores_speed
    return Settings(
        model=model,
        speed=str(speed) if is_fast else "standard",
        thinking=known.thinking,
        effort=effort or known.effort,
    )


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    return tomllib.loads((resources.files("underspend.promptcache") / "data" / "models.toml").read_text("utf-8"))

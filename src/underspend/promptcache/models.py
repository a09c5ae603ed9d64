"""What the cache's key takes from a model besides its name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How a model treats its settings.

    `effort` and `thinking` are its own defaults: leaving a setting out is the same as asking for them. A model that
    `strips_thinking` drops the thinking of finished turns from the prompt. One that `ignores_speed` serves and caches
    "fast" as standard.
    """

    effort: str = "high"
    thinking: str = "disabled"
    strips_thinking: bool = False
    ignores_speed: bool = False


_PLAIN = Facts()
_ALWAYS_THINKS = Facts(thinking="adaptive")
_STRIPS = Facts(strips_thinking=True)

_FACTS = {
    "claude-fable-5-2": _ALWAYS_THINKS,
    "claude-mythos-5-2": _ALWAYS_THINKS,
    "claude-fable-5-1": _ALWAYS_THINKS,
    "claude-mythos-5-1": _ALWAYS_THINKS,
    "claude-fable-5": _ALWAYS_THINKS,
    "claude-mythos-5": _ALWAYS_THINKS,
    "claude-opus-5-5": Facts(effort="medium", thinking="adaptive"),
    "claude-haiku-5-5": Facts(effort="medium"),
    "claude-opus-4-6": Facts(ignores_speed=True),
    "claude-sonnet-4-5-20250929": _STRIPS,
    "claude-haiku-4-5-20251001": _STRIPS,
    "claude-opus-4-1-20250805": _STRIPS,
    "claude-opus-4-20250514": _STRIPS,
    "claude-sonnet-4-20250514": _STRIPS,
    "claude-3-7-sonnet-20250219": _STRIPS,
}
"""By listed id. Sources: the provider's model pages (defaults of effort, thinking that cannot be turned off), its
extended-thinking page (thinking is kept from Opus 4.5 and Sonnet 4.6 on, dropped before and by Haiku up to 4.5), its
fast-mode page (Opus 4.6 silently serves standard)."""


def facts(model: str) -> Facts:
    """The facts of a model by its listed id; the commonest ones for any other."""
    return _FACTS.get(model, _PLAIN)

"""What a model takes in a request and what it refuses: dated data with a source beside each family of models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from underspend.pricing.catalogue import catalogue

_DATA = Path(__file__).with_name("data") / "capabilities"
_THOUSAND = 1_000
EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""From the least to the most."""


class _Family(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the data. What is left out is as most models have it."""

    source: str
    models: tuple[str, ...]
    thinking: frozenset[str]
    efforts: tuple[str, ...]
    context_edits: frozenset[str]
    thinking_default: str = "disabled"
    quiet_up_to: str = ""
    effort_default: str = "high"
    sampling: bool = False
    prefill: bool = False
    forced_tools: bool = True
    system_messages: bool = True
    message_effort: bool = True
    system_tools: bool = True
    binds_thinking: bool = False
    us_only: bool = True
    light_tokens: bool = False
    displays: frozenset[str] = frozenset()
    refused_tools: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one model takes.

    `thinking` are the types of thinking it takes ("adaptive", "enabled", "disabled", "between_tools"),
    `thinking_default` is what a request without any gets; `quiet_up_to` is the highest effort at which it lets thinking
    be turned off, "" for any. `efforts` go from low to high and are empty where effort is refused. `sampling` is
    whether other temperatures than 1 are taken, `prefill` whether a request may end with the model's own words,
    `forced_tools` whether a tool may be demanded. `system_messages` may stand among the others, with an effort of their
    own (`message_effort`) and tools (`system_tools`). `us_only` is whether inference can be kept in the US,
    `light_tokens` whether it makes fewer tokens of a text, as models did before 4.7.
    `max_output` and `context` are in tokens, None where the catalogue has none. `fast` is whether "speed" is taken.
    """

    id: str
    source: str
    thinking: frozenset[str]
    thinking_default: str
    quiet_up_to: str
    efforts: tuple[str, ...]
    effort_default: str
    sampling: bool
    prefill: bool
    forced_tools: bool
    system_messages: bool
    message_effort: bool
    system_tools: bool
    binds_thinking: bool
    us_only: bool
    light_tokens: bool
    displays: frozenset[str]
    context_edits: frozenset[str]
    refused_tools: frozenset[str]
    max_output: int | None
    context: int | None
    fast: bool

    def effort_for(self, effort: str | None) -> str | None:
        """The effort nearest to one asked for, never above it where there is one below; None where it takes none."""
        if effort is None or not self.efforts:
            return None
        if effort in self.efforts or effort not in EFFORTS:
            return effort if effort in self.efforts else None
        below = [each for each in self.efforts if EFFORTS.index(each) < EFFORTS.index(effort)]
        return below[-1] if below else self.efforts[0]

    def is_narrower(self, other: Capabilities | None) -> bool:
        """Whether its window is smaller than another model's."""
        theirs = other.context if other is not None else None
        return self.context is not None and theirs is not None and self.context < theirs

    def is_quiet_at(self, effort: str | None) -> bool:
        """Whether thinking may be turned off at this effort."""
        asked = effort or self.effort_default
        return not self.quiet_up_to or asked not in EFFORTS or EFFORTS.index(asked) <= EFFORTS.index(self.quiet_up_to)


@cache
def capabilities(model: str, provider: str = "anthropic") -> Capabilities | None:
    """What a model takes, by any spelling the catalogue knows; None where that is not known."""
    listed = catalogue().find(model, provider=provider)
    if listed is None or listed.provider != "anthropic":
        return None
    family = _families().get(listed.id)
    if family is None:
        return None
    said = {name: getattr(family, name) for name in family.__struct_fields__ if name != "models"}
    return Capabilities(
        id=listed.id, max_output=listed.max_output, context=listed.context, fast="fast" in listed.variants, **said
    )


def refused_betas(names: Iterable[str], model: str, provider: str = "anthropic") -> tuple[str, ...]:
    """Those of the beta headers `names` that a model answers with a 400."""
    known, data = capabilities(model, provider), _document()["betas"]
    if known is None or known.context is None or known.context >= data["long_context_tokens"]:
        return ()
    return tuple(name for name in names if name in data["long_context"])


def tokens_elsewhere(tokens: int, here: Capabilities | None, there: Capabilities | None) -> int:
    """How many tokens a text has for another model, at the most; the same where one of the two is not known."""
    if here is None or there is None or here.light_tokens == there.light_tokens:
        return tokens
    most, expected = int(_document()["tokenizer"]["most"]), int(_document()["tokenizer"]["expected"])
    return -(-tokens * most // _THOUSAND) if here.light_tokens else -(-tokens * _THOUSAND // expected)


@cache
def default_tiers() -> dict[str, tuple[str, ...]]:
    """The models of each tier ("cheap", "standard", "best") where none are configured."""
    return {name: tuple(value) for name, value in _document()["tiers"].items() if name != "source"}


@cache
def thinking_budgets() -> dict[str, int]:
    """Tokens of a thinking budget by effort, and the `least` one."""
    return {name: value for name, value in _document()["budgets"].items() if name != "source"}


@cache
def _families() -> dict[str, _Family]:
    families = msgspec.convert(_document()["family"], list[_Family])
    return {model: family for family in families for model in family.models}


@cache
def _document() -> dict[str, Any]:
    found: dict[str, Any] = msgspec.toml.decode((_DATA / "anthropic.toml").read_bytes())
    return found

"""What a reply reported, in the words of the bill: lanes, units, modifiers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum


class Lane(StrEnum):
    """The token kinds that providers bill apart.

    Cache writes carry Anthropic's two lifetimes; for a provider with other lifetimes the shorter one is
    `cache_write_5m` and the longer `cache_write_1h`.
    """

    INPUT = "input"
    CACHE_WRITE_5M = "cache_write_5m"
    CACHE_WRITE_1H = "cache_write_1h"
    CACHE_READ = "cache_read"
    OUTPUT = "output"


PLACES = {lane: place for place, lane in enumerate(Lane)}
"""Where a lane stands among all of them, as in `Bill.by_lane`."""

FIELDS = {lane: lane.value for lane in Lane}
"""The fields that hold something by lane, as plain text: quicker to look up than a lane, which is its own text too."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens by lane. Lanes never overlap: `input` excludes what was read from or written to the cache."""

    input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output: int = 0

    @property
    def prompt(self) -> int:
        """Every token of the prompt, however it was billed."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read

    def lane(self, lane: Lane) -> int:
        """Tokens billed in one lane."""
        # `lane.value` takes several times as long, and this runs for each reply of years.
        tokens: int = getattr(self, FIELDS[lane])
        return tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing the provider bills: a whole reply, or one entry of Anthropic's `usage.iterations[]`.

    `model` is None when the entry names none: it is then the reply's. `billed` is False for attempts the provider
    declines to charge (declined before output).
    """

    kind: str
    usage: Usage
    model: str | None = None
    billed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """Everything a reply's own bytes say about its bill. Built by `formats`, priced by `pricing.cost`."""

    provider: str
    model: str | None
    units: tuple[Unit, ...]
    reported: Usage
    message_id: str | None = None
    stop_reason: str | None = None
    thinking_tokens: int = 0
    web_searches: int = 0
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    refused_free: bool = False
    fallback_credit: bool = False
    complete: bool = True
    has_usage: bool = True
    notes: tuple[str, ...] = ()

    @property
    def served_model(self) -> str | None:
        """Who wrote the reply: the fallback where the model that was asked declined, else the reply's own model."""
        fallbacks = [unit.model for unit in self.units if unit.kind == "fallback_message" and unit.billed]
        return (fallbacks[-1] if fallbacks else None) or self.model

    @property
    def usage(self) -> Usage:
        """Billed tokens: the sum over the units that are charged; as reported where none is (a free refusal)."""
        units = self.units
        if len(units) == 1:
            return self.reported if self.refused_free or not units[0].billed else units[0].usage
        billed = [unit.usage for unit in units if unit.billed]
        if self.refused_free or not billed:
            return self.reported
        if len(billed) == 1:
            return billed[0]
        total = Usage()
        for usage in billed:
            total += usage
        return total

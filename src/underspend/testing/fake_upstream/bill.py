"""What the fake provider charges, exactly: integer pico-dollars by way of fractions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from underspend.testing.fake_upstream.prices import LANES, PriceSource

BATCH = Fraction(1, 2)
US_GEO = Fraction(11, 10)


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens by lane. Lanes never overlap."""

    input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output: int = 0

    @property
    def prompt(self) -> int:
        """Every token of the prompt, however it was billed."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, lane) + getattr(other, lane) for lane in LANES))


@dataclass(frozen=True, slots=True)
class Unit:
    """One billed piece of a reply: the reply itself, or one entry of `usage.iterations`."""

    model: str
    counts: Counts
    declined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What multiplies or adds to the token price of a reply."""

    batch: bool = False
    us_geo: bool = False
    speed: str = "standard"
    web_searches: int = 0
    free: bool = False


@dataclass(frozen=True, slots=True)
class Bill:
    """An amount in pico-dollars. `unpriced` names the models that have no price and so add nothing to it."""

    picodollars: int = 0
    unpriced: tuple[str, ...] = field(default=())

    def __add__(self, other: Bill) -> Bill:
        names = sorted({*self.unpriced, *other.unpriced})
        return Bill(self.picodollars + other.picodollars, tuple(names))


@dataclass(frozen=True, slots=True)
class Charge:
    """What one answer cost once it ended: the counts in the API's words, the model that served, the bill."""

    message_id: str
    served_model: str
    usage: dict[str, Any]
    bill: Bill


def charge(units: Sequence[Unit], terms: Terms, prices: PriceSource, *, web_search: int) -> Bill:
    """The bill of one reply. `web_search` is the pico-dollars of one search; batch and geo do not change it.

    A reply that is `free` (refused before output) and units that were declined cost nothing. The price step for
    long prompts is taken per unit. A fraction of a pico-dollar is rounded half to even.
    """
    if terms.free:
        return Bill()
    factor = (BATCH if terms.batch else 1) * (US_GEO if terms.us_geo else Fraction(1))
    total, unpriced = Fraction(0), set()
    for unit in units:
        if unit.declined:
            continue
        rates = prices.rates(unit.model, unit.counts.prompt, terms.speed)
        if rates is None:
            unpriced.add(unit.model)
            continue
        total += factor * sum(getattr(unit.counts, lane) * rates[lane] for lane in LANES)
    return Bill(round(total) + web_search * terms.web_searches, tuple(sorted(unpriced)))

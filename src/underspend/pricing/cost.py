"""What a reply cost: usage to money, by the rules in the project's billing notes (§3).

Each unit is priced by its own model at the time of the call; prices that depend on prompt length go by the unit's whole
prompt. Modifiers multiply as exact rationals and each line is rounded once, halves to even.
"""

from __future__ import annotations

from functools import lru_cache

from underspend.core.evidence import Evidence
from underspend.core.money import Money, scale
from underspend.core.reply import Bill, Line
from underspend.core.usage import Lane, Metered, Unit, Usage
from underspend.pricing.catalogue import Catalogue, Listed
from underspend.pricing.catalogue import catalogue as shipped
from underspend.pricing.table import Model, Rates

UNNAMED = "(no model named)"
"""How a bill names the model of a reply that names none."""

_LANES = tuple(Lane)
_PLAIN_TIERS = frozenset({"", "standard", "default", "auto", "standard_only", "not_available"})
_BATCH = "batch"
_FREE = Rates(0, 0, 0, 0, 0)


def cost(  # noqa: PLR0913  # each option is given by name and says one thing a reply's bytes cannot
    metered: Metered,
    *,
    at: int,
    catalogue: Catalogue | None = None,
    batch: bool = False,
    model: str | None = None,
    regional: bool = False,
) -> Bill:
    """The bill of a reply, exact to the pico-dollar.

    `at` is the time of the request in microseconds since the epoch. `batch` says that it came through a batch API even
    where its usage does not. `model` stands in for the reply's own model, not for units that name another (what would
    it have cost on X?). `regional` charges Claude's premium for a cloud's regional endpoint.

    A model without a known price is named in `Bill.unpriced` and left out of the total: never counted as free. What
    the provider does not charge (a refusal before output, a declined attempt) keeps its lines, at 0, with a note.
    """
    prices = catalogue or shipped()
    plain = None if batch or regional else plain_bill(metered, at, prices, model)
    if plain is not None:
        return plain
    tiers = _tiers(metered.speed, metered.service_tier, batch=batch)
    places = _places(metered.inference_geo, regional=regional)
    draft = _Draft(metered, prices, at, tiers, places, model)
    for index, unit in enumerate(metered.units):
        draft.add_unit(index, unit)
    if not metered.refused_free:
        draft.add_fees()
    return draft.bill()


def plain_bill(metered: Metered, at: int, prices: Catalogue, instead: str | None = None) -> Bill | None:
    """What `cost` gives for a reply that is one unit at a list price, as nearly all are; None for any other.

    `instead` stands in for the reply's model.

    The same as `_Draft` makes of it, without the detours: a history holds years of these.
    """
    model, unit = metered.model, metered.units[0] if len(metered.units) == 1 else None
    name = instead or model
    if (
        model is None
        or name is None
        or unit is None
        or not unit.billed
        or (unit.model is not None and unit.model != model)
        or metered.refused_free
        or metered.fallback_credit
        or metered.web_searches
    ):
        return None
    listed = _listed(prices, (name, metered.provider, metered.speed, metered.service_tier, metered.inference_geo))
    if listed is None:
        return None
    usage = unit.usage
    tokens = fresh, short, long, read, output = (
        usage.input, usage.cache_write_5m, usage.cache_write_1h, usage.cache_read, usage.output
    )  # fmt: skip
    rates = listed.rates(at, fresh + short + long + read)
    if rates[4] is None:
        return None
    amounts = (fresh * rates[0], short * rates[1], long * rates[2], read * rates[3], output * rates[4])
    kind, name = unit.kind, listed.name
    lines = [
        Line(0, kind, name, lane, count, rate or 0, amount)
        for lane, count, rate, amount in zip(_LANES, tokens, rates, amounts, strict=True)
        if count
    ]
    evidence = Evidence.BILLED if metered.complete and metered.has_usage else Evidence.ESTIMATED
    return Bill(tuple(lines), (), sum(amounts), (), evidence, metered.notes, amounts)


_Served = tuple[str, str, str | None, str | None, str | None]
"""A reply's model and provider, and how it was served: speed, tier, place."""


@lru_cache(maxsize=512)
def _listed(prices: Catalogue, served: _Served) -> Listed | None:
    """The list prices of replies that were served alike; None where more than tokens, or a note, is on their bills."""
    model, provider, speed, tier, geo = served
    found = prices.resolve(model, provider=provider)
    if found is None or found.name.notes or found.model.per_request or _tiers(speed, tier, batch=False):
        return None
    factors, variants = found.model.factors, found.model.variants
    if any(name in factors or name in variants for name in _places(geo, regional=False)):
        return None
    return prices.listed(model, provider=provider)


@lru_cache(maxsize=512)
def _tiers(speed: str | None, service_tier: str | None, *, batch: bool) -> tuple[str, ...]:
    """The rate tables or factors to apply, by name; plain service has none."""
    named = [name for name in (speed, service_tier) if name is not None and name not in _PLAIN_TIERS]
    if batch and _BATCH not in named:
        named.append(_BATCH)
    return tuple(named)


@lru_cache(maxsize=512)
def _places(geo: str | None, *, regional: bool) -> tuple[str, ...]:
    """The multipliers of place to apply, by name, where a model has them."""
    geos = (f"geo:{geo}",) if geo else ()
    return (*geos, "regional") if regional else geos


class _Draft:
    """A bill being written."""

    def __init__(  # noqa: PLR0913, PLR0917  # the one place that gathers what `cost` was given
        self,
        metered: Metered,
        prices: Catalogue,
        at: int,
        tiers: tuple[str, ...],
        places: tuple[str, ...],
        instead: str | None,
    ) -> None:
        self._metered = metered
        self._prices = prices
        self._at = at
        self._tiers = tiers
        self._places = places
        self._instead = instead
        self._lines: list[Line] = []
        self._extras: list[tuple[str, Money]] = []
        self._unpriced: list[str] = []
        self._notes: list[str] = []

    def bill(self) -> Bill:
        metered = self._metered
        return Bill(
            lines=tuple(self._lines),
            extras=tuple(self._extras),
            total=sum([line.amount for line in self._lines]) + sum([amount for _, amount in self._extras]),
            unpriced=tuple(self._unpriced),
            evidence=Evidence.BILLED if metered.complete and metered.has_usage else Evidence.ESTIMATED,
            notes=(*metered.notes, *self._notes),
        )

    def add_unit(self, index: int, unit: Unit) -> None:
        own = unit.model or self._metered.model
        name = self._instead if self._instead is not None and own == self._metered.model else own
        found = None if name is None else self._prices.resolve(name, provider=self._metered.provider)
        if self._metered.refused_free or not unit.billed:
            self._say("refused before output: not charged" if unit.billed else f"{unit.kind} declined: not charged")
            self._add_lines(index, unit, (name or UNNAMED) if found is None else found.model.id, _FREE, (1, 1))
        elif found is None:
            self._lack(name or UNNAMED)
        else:
            for note in found.name.notes:
                self._say(note)
            if self._metered.fallback_credit:
                # The refund is in the usage already: fewer writes, as many more reads (fallback-credit page, "Checking
                # that the credit applied"). To reprice what writes are left would count it twice.
                self._say("fallback credit redeemed: its refund is in the usage")
            self._add_lines(index, unit, found.model.id, *self._rates(found.model, unit.usage))

    def add_fees(self) -> None:
        """What is charged by the search or by the request: at list price, whatever the tier or place."""
        name = self._instead or self._metered.model
        model = None if name is None else self._prices.find(name, provider=self._metered.provider)
        searches = self._metered.web_searches
        if searches and (model is None or model.web_search is None):
            self._lack(f"{name or UNNAMED} web search")
        elif searches and model is not None and model.web_search is not None:
            self._extras.append(("web search", searches * model.web_search))
        if model is not None and model.per_request:
            self._extras.append(("request", model.per_request))

    def _rates(self, model: Model, usage: Usage) -> tuple[Rates, tuple[int, int]]:
        """The rates of a unit, and the factor on them as (numerator, denominator)."""
        prompt = usage.prompt
        rates: Rates | None = None
        numerator = denominator = 1
        for name in (*self._tiers, *self._places):
            table = model.rates(self._at, prompt, name) if rates is None else None
            by = model.factors.get(name)
            if table is not None:
                rates = table
                self._say(f"{name} rates")
            elif by is not None:
                numerator, denominator = numerator * by[0], denominator * by[1]
                self._say(f"{name}: × {by[0]}/{by[1]}")
            elif name in self._tiers:
                self._say(f"{model.id} lists no {name} price: standard rates")
        return rates or model.standard_rates(self._at, prompt), (numerator, denominator)

    def _add_lines(self, index: int, unit: Unit, model: str, rates: Rates, factor: tuple[int, int]) -> None:
        numerator, denominator = factor
        for lane in _LANES:
            tokens = unit.usage.lane(lane)
            if not tokens:
                continue
            rate: Money | None = getattr(rates, lane)
            if rate is None:
                self._lack(f"{model} {lane.value}")
                continue
            amount = tokens * rate
            if numerator != denominator:
                amount, rate = scale(amount, numerator, denominator), scale(rate, numerator, denominator)
            self._lines.append(
                Line(unit=index, kind=unit.kind, model=model, lane=lane, tokens=tokens, rate=rate, amount=amount)
            )

    def _say(self, note: str) -> None:
        if note not in self._notes:
            self._notes.append(note)

    def _lack(self, model: str) -> None:
        if model not in self._unpriced:
            self._unpriced.append(model)

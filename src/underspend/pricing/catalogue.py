"""Every known model and what it costs, loaded one provider at a time when first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from underspend.core.money import Money
from underspend.pricing.normalise import PROVIDERS, Name, candidates, provider_id
from underspend.pricing.overrides import read_overrides
from underspend.pricing.table import Model, Rates, Sheet, Terms, read_sheet

_DATA = Path(__file__).with_name("data")
_REMEMBERED = 4096
_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """A model, and how the id asked for led to it."""

    model: Model
    name: Name


class Listed:
    """The list prices of one model, quick to ask for one reply after another."""

    __slots__ = ("_known", "_model", "name")

    def __init__(self, model: Model) -> None:
        self.name = model.id
        self._model = model
        self._known = _with_row(model.standard_terms(0))

    def rates(self, at: int, prompt_tokens: int) -> ByLane:
        """The standard rates at an instant (µs since the epoch) for a prompt of so many tokens in all."""
        terms, rates = self._known
        if terms.since <= at < terms.until and terms.above < prompt_tokens <= terms.most:
            return rates
        # One value, so that two threads never see the terms of the one with the rates of the other.
        known = self._known = _with_row(self._model.standard_terms(at, prompt_tokens))
        return known[1]


ByLane = tuple[Money, Money, Money, Money, Money | None]
"""Rates in the order of the lanes."""


def _with_row(terms: Terms) -> tuple[Terms, ByLane]:
    rates = terms.rates
    return terms, (rates.input, rates.cache_write_5m, rates.cache_write_1h, rates.cache_read, rates.output)


class Catalogue:
    """Models by exact id, alias or documented spelling (see `normalise`), the user's own prices first."""

    def __init__(self, overrides: Mapping[str, Model] | None = None) -> None:
        self._overrides = dict(overrides or {})
        self._found: dict[tuple[str, str | None], Found | None] = {}
        self._dearest: dict[tuple[str, int], Rates] = {}
        self._listed: dict[tuple[str, str | None], Listed | None] = {}

    def with_overrides(self, prices: Mapping[str, Mapping[str, object]]) -> Catalogue:
        """A catalogue that also knows the user's prices, which win over the listed ones for any provider.

        `prices` maps a model id to USD per million tokens as decimal strings, by lane name:
        `{"my-model": {"input": "3.00", "output": "15.00"}}`; cache lanes left out cost what input costs (the long
        write what the short one does). Raises
        ConfigError on an unknown key, a missing lane or an amount finer than a pico-dollar per token.
        """
        return Catalogue(self._overrides | read_overrides(prices))

    def resolve(self, model: str, *, provider: str | None = None) -> Found | None:
        """The model an id means and the name it was found under; None when it is not listed."""
        key = (model, provider)
        try:
            return self._found[key]
        except KeyError:
            pass
        if len(self._found) >= _REMEMBERED:
            self._found.clear()
        found = self._found[key] = self._resolve(model, provider)
        return found

    def find(self, model: str, *, provider: str | None = None) -> Model | None:
        """The model an id means; None when it is not listed: such a model is unpriced, never guessed."""
        found = self.resolve(model, provider=provider)
        return None if found is None else found.model

    def listed(self, model: str, *, provider: str | None = None) -> Listed | None:
        """The list prices of the model an id means; None when it is not listed."""
        key = (model, provider)
        try:
            return self._listed[key]
        except KeyError:
            pass
        if len(self._listed) >= _REMEMBERED:
            self._listed.clear()
        found = self.find(model, provider=provider)
        listed = self._listed[key] = None if found is None else Listed(found)
        return listed

    def rates(
        self,
        model: str | Model,
        at: int,
        prompt_tokens: int = 0,
        speed: str | None = None,
        *,
        provider: str | None = None,
    ) -> Rates | None:
        """Pico-dollars per token at an instant (µs since the epoch) for a prompt of so many tokens in all.

        `speed` "fast" gives the fast table where the model has one, else the standard one. None when unlisted.
        """
        known = model if isinstance(model, Model) else self.find(model, provider=provider)
        if known is None:
            return None
        fast = known.rates(at, prompt_tokens, speed) if speed is not None else None
        return fast or known.standard_rates(at, prompt_tokens)

    def models(self, *, provider: str = "anthropic") -> tuple[Model, ...]:
        """All models of a provider in the order of their ids; () for a provider without a price file."""
        home = provider_id(provider)
        return sheet(home).models if home in PROVIDERS else ()

    def checked(self, *, provider: str = "anthropic") -> date | None:
        """The date on which a provider's prices were last compared with their sources; None without a price file."""
        home = provider_id(provider)
        return sheet(home).checked if home in PROVIDERS else None

    def dearest(self, at: int, *, provider: str = "anthropic") -> Rates:
        """The highest rate of each lane over all models, tiers and variants of a provider at an instant.

        What an unlisted model is held to cost by budgets. A provider without a price file is held to Anthropic's.
        """
        home = provider_id(provider)
        if home not in PROVIDERS:
            home = PROVIDERS[0]
        # Peak hours change within a day, and the highest rate must hold through all of it.
        key = (home, at // _DAY)
        if key not in self._dearest:
            if len(self._dearest) >= _REMEMBERED:
                self._dearest.clear()
            self._dearest[key] = _highest(_all_rates(sheet(home), at))
        return self._dearest[key]

    def _resolve(self, model: str, provider: str | None) -> Found | None:
        own = self._overrides.get(model)
        if own is not None:
            return Found(own, Name(own.provider, own.id, notes=("your own price",)))
        for name in candidates(model, provider=provider):
            known = self._overrides.get(name.model) or _index(name.provider).get(name.model)
            if known is not None:
                return Found(known, name)
        return None


@cache
def catalogue() -> Catalogue:
    """The catalogue that ships with Underspend, without overrides: always the same object."""
    return Catalogue()


@cache
def sheet(provider: str) -> Sheet:
    """A provider's decoded price file. Raises FileNotFoundError for a provider without one."""
    # Not by `importlib.resources`, which takes longer to import than an audit of small transcripts.
    return read_sheet((_DATA / f"{provider}.json").read_bytes())


@cache
def _index(provider: str) -> dict[str, Model]:
    known: dict[str, Model] = {}
    for model in sheet(provider).models:
        for alias in model.aliases:
            known.setdefault(alias.lower(), model)
    # An id always beats another model's alias.
    known.update((model.id.lower(), model) for model in sheet(provider).models)
    return known


def _all_rates(prices: Sheet, at: int) -> Iterator[Rates]:
    midnight = at - at % _DAY
    for model in prices.models:
        for rows in (model.rows, *model.variants.values()):
            for row in rows:
                if row.hours or row.holds(midnight):
                    yield row.rates
                    yield from (tier.rates for tier in row.tiers)


def _highest(rates: Iterator[Rates]) -> Rates:
    known = list(rates)

    def top(lane: str) -> Money:
        return max(getattr(each, lane) or 0 for each in known)

    return Rates(top("input"), top("cache_write_5m"), top("cache_write_1h"), top("cache_read"), top("output"))

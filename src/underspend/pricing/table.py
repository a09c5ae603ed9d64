"""The shape of the price data: what `data/<provider>.json` decodes to, and which row holds when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Annotated

import msgspec

from underspend.core.money import Money
from underspend.core.usage import Lane

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@lru_cache(maxsize=512)
def _micros(when: datetime) -> int:
    """An instant in microseconds since the epoch: quicker to compare than one in microseconds is to convert."""
    return (when - _EPOCH) // _MICROSECOND


class Rates(msgspec.Struct, frozen=True, array_like=True):
    """Pico-dollars per token by lane. `output` is None for a model that only reads (embeddings).

    A provider without its own price for a cache lane bills those tokens as input; the data says so explicitly.
    """

    input: Money
    cache_write_5m: Money
    cache_write_1h: Money
    cache_read: Money
    output: Money | None

    def lane(self, lane: Lane) -> Money | None:
        """The rate of one lane; None where the model has no such lane."""
        rate: Money | None = getattr(self, lane.value)
        return rate

    @property
    def dearest_prompt(self) -> Money:
        """The highest rate a prompt token can be billed at."""
        return max(self.input, self.cache_write_5m, self.cache_write_1h, self.cache_read)


class Tier(msgspec.Struct, frozen=True, array_like=True):
    """Rates for every token of a request whose whole prompt holds more than `above` tokens."""

    above: int
    rates: Rates


class Terms(msgspec.Struct, frozen=True, gc=False):
    """Rates and for what else they hold: from `since` to before `until` (µs), for prompts of over `above` to `most`."""

    rates: Rates
    since: int
    until: int
    above: int
    most: int


_ALWAYS = 1 << 62
"""Later than any time in microseconds, more than the tokens of any prompt."""


class Row(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Rates that hold for a time: from the instant `since` (inclusive) to `until` (exclusive).

    `hours` are minutes of the UTC day [from, to), `days` are UTC weekdays (Monday is 0), `except_on` are UTC dates on
    which the row does not hold; empty means always. Rows are tried in order and the first that holds is taken.
    `source` and `checked` say where the numbers come from where that is not the file's own source.
    """

    rates: Rates
    tiers: tuple[Tier, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    hours: tuple[tuple[int, int], ...] = ()
    days: tuple[int, ...] = ()
    except_on: tuple[date, ...] = ()
    source: str | None = None
    checked: date | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it holds always and for prompts of any length, as most do."""
        return self.since is None and self.until is None and not self.hours and not self.tiers

    def holds(self, at: int) -> bool:
        """Whether the row is in force at an instant, in microseconds since the epoch."""
        if self.since is None and self.until is None and not self.hours:
            return True
        if (self.since is not None and at < _micros(self.since)) or (
            self.until is not None and at >= _micros(self.until)
        ):
            return False
        return not self.hours or self._in_hours(_EPOCH + timedelta(microseconds=at))

    def _in_hours(self, when: datetime) -> bool:
        if (self.days and when.weekday() not in self.days) or when.date() in self.except_on:
            return False
        minute = when.hour * 60 + when.minute
        return any(start <= minute < end for start, end in self.hours)

    @property
    def span(self) -> tuple[int, int]:
        """From when to before when it holds, in microseconds; its hours left aside."""
        return (
            -_ALWAYS if self.since is None else _micros(self.since),
            _ALWAYS if self.until is None else _micros(self.until),
        )

    def at_prompt(self, prompt_tokens: int) -> Rates:
        """The rates for a prompt of so many tokens in all: the highest tier it exceeds, else the base."""
        rates = self.rates
        for tier in self.tiers:
            if prompt_tokens > tier.above:
                rates = tier.rates
        return rates


class Factor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A multiplier on every token lane: `by` is (numerator, denominator).

    A `limited` factor applies only to models that allow it by name.
    """

    by: tuple[int, int]
    source: str
    checked: date
    limited: bool = False


class Model(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One model of one provider: its names, dated rates and limits.

    `variants` are separate rate tables by name ("fast", "flex", "priority", "batch"). `web_search` is pico-dollars per
    search, `per_request` per call. `min_cache` is the shortest prefix in tokens the provider caches. `retired_on` is
    the first date without the model, `retires_after` the date before which the provider promised to keep it.
    `unpriced_kinds` names price kinds of the provider that these five lanes cannot carry (audio, images).
    """

    id: str
    rows: Annotated[tuple[Row, ...], msgspec.Meta(min_length=1)]
    aliases: tuple[str, ...] = ()
    variants: dict[str, tuple[Row, ...]] = {}
    allows: tuple[str, ...] = ()
    web_search: Money | None = None
    per_request: Money | None = None
    min_cache: int | None = None
    context: int | None = None
    max_output: int | None = None
    released_on: date | None = None
    retires_after: date | None = None
    retired_on: date | None = None
    unpriced_kinds: tuple[str, ...] = ()
    source: str | None = None
    checked: date | None = None
    provider: str = ""
    factors: Mapping[str, tuple[int, int]] = {}

    def row(self, at: int, variant: str | None = None) -> Row | None:
        """The row in force at an instant (µs since the epoch), of a variant or of the standard table.

        None when the variant has no table or none holds then. The standard table always answers: outside its dates it
        gives the oldest row, since a model that answers before its listed release was a preview at that price.
        """
        rows = self.rows if variant is None else self.variants.get(variant, ())
        for row in rows:
            if row.holds(at):
                return row
        return self.rows[-1] if variant is None else None

    def standard_rates(self, at: int, prompt_tokens: int = 0) -> Rates:
        """The standard rates at an instant for a prompt of so many tokens in all."""
        row = self.rows[0]
        if row.is_plain:
            return row.rates
        for row in self.rows:
            if row.holds(at):
                return row.at_prompt(prompt_tokens)
        return self.rows[-1].at_prompt(prompt_tokens)

    def standard_terms(self, at: int, prompt_tokens: int = 0) -> Terms:
        """The standard rates, and how much further they hold: at least for this instant and this prompt."""
        since, until = -_ALWAYS, _ALWAYS
        row = self.rows[-1]
        for row in self.rows:
            begins, ends = row.span
            if row.hours:
                # What holds by the hour is asked for each time.
                since, until = at, at + 1
            elif at < begins:
                until = min(until, begins)
            elif at >= ends:
                since = max(since, ends)
            if row.holds(at):
                since, until = max(since, begins), min(until, ends)
                break
        above, most = -1, _ALWAYS
        for tier in row.tiers:
            if prompt_tokens > tier.above:
                above = max(above, tier.above)
            else:
                most = min(most, tier.above)
        return Terms(row.at_prompt(prompt_tokens), since, until, above, most)

    def rates(self, at: int, prompt_tokens: int = 0, variant: str | None = None) -> Rates | None:
        """Rates at an instant for a prompt of so many tokens in all; None as for `row`."""
        row = self.row(at, variant)
        return None if row is None else row.at_prompt(prompt_tokens)


class Sheet(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One provider's file: `source` and `checked` hold for every number that names no other."""

    provider: str
    source: str
    checked: date
    models: tuple[Model, ...]
    factors: dict[str, Factor] = {}
    excluded: dict[str, str] = {}


def read_sheet(raw: bytes) -> Sheet:
    """A provider's price file, with each model told its provider and the factors that apply to it.

    Raises msgspec.ValidationError on a file of another shape.
    """
    sheet = msgspec.json.decode(raw, type=Sheet)
    free = {name: factor.by for name, factor in sheet.factors.items() if not factor.limited}
    shared: dict[tuple[str, ...], dict[str, tuple[int, int]]] = {(): free}
    for model in sheet.models:
        if model.allows not in shared:
            shared[model.allows] = free | {name: sheet.factors[name].by for name in model.allows}
        msgspec.structs.force_setattr(model, "provider", sheet.provider)
        msgspec.structs.force_setattr(model, "factors", shared[model.allows])
    return sheet

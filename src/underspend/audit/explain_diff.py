"""Every dollar between our total and a ccusage export, by cause.

What ccusage does, measured black-box (the version is in `data/ccusage.json`): it prices the whole history at today's
standard rates, prices only the tokens past 200,000 of each lane at the long-context rates and only for some models,
knows no web searches and no `inference_geo`, drops lines with null fields, and counts sub-agents' progress lines in
`daily` alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from importlib import resources
from itertools import combinations
from pathlib import Path

import msgspec

from underspend.audit.bills import LANES, Billed
from underspend.audit.ccusage_blocks import rows_of_blocks
from underspend.audit.ccusage_export import BLOCKS, Export, Figures
from underspend.audit.days import Days
from underspend.audit.null_lines import without_null_lines
from underspend.core.money import Money, scale
from underspend.core.usage import Usage
from underspend.pricing.catalogue import Catalogue, catalogue
from underspend.pricing.cost import cost
from underspend.pricing.table import Rates

NESTED = "sub-agents' progress lines (ccusage counts them in `daily` alone)"
WEB = "web searches (ccusage: $0)"
GEO = "inference_geo (ccusage: no premium)"
FAST = "fast mode and service tiers"
TIER = "long-context rates by date (ccusage: past 200k of each lane)"
NULL = "lines with null fields (ccusage drops them)"
UNKNOWN = "models ccusage has no price for"
UNPRICED = "models we have no price for"
ABSENT = "replies that are not in the export"
MORE = "rows of the export that are not in these transcripts"
COUNTED = "not explained: tokens counted otherwise"
PRICES = "not explained: other prices"
DATED = "prices that changed since (ccusage: one price for all time)"
ROUNDING = "rounding of ccusage's floats"

_UNEXPLAINED = (COUNTED, PRICES)
_CENT_FRACTION = 10**6
_MANY_MODELS = 12
_SUNDAY = 6


class _Habits(msgspec.Struct, frozen=True):
    """How ccusage prices long prompts: `split_models` (listed ids) at twice the prompt rates past `split_at` tokens."""

    version: str
    source: str
    checked: str
    split_at: int
    split_models: tuple[str, ...]


@cache
def _habits() -> _Habits:
    raw = (resources.files("underspend.audit") / "data" / "ccusage.json").read_bytes()
    return msgspec.json.decode(raw, type=_Habits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Dollars of ours less ccusage's that one cause makes, and in how many rows of the export."""

    cause: str
    amount: Money
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Both totals and the causes between them: `ours` − `theirs` is the sum of the causes and `residual`.

    `tokens` are ours less theirs by field, among the replies that both count.
    """

    kind: str
    ours: Money
    theirs: Money
    causes: tuple[Difference, ...]
    tokens: Mapping[str, int]

    @property
    def residual(self) -> Money:
        """What no cause explains."""
        return sum(each.amount for each in self.causes if each.cause in _UNEXPLAINED)


def explain_diff(
    billed: Sequence[Billed], export: Export, days: Days, *, now: int, prices: Catalogue | None = None
) -> Explained:
    """Our replies against an export of the same files, made now; days, weeks and months are the calendar's."""
    ledger = _Ledger()
    both = [each for each in billed if export.counts_nested or not each.reply.nested]
    if not export.counts_nested:
        ledger.add(NESTED, sum(each.bill.total for each in billed if each.reply.nested), "")
    key = _key(both, export, days)
    ours: dict[tuple[str, str], list[Billed]] = defaultdict(list)
    for each in both:
        ours[key(each)].append(each)
    theirs = {(each.row, each.model): each for each in export.figures}
    comparison = _Comparison(prices or catalogue(), ledger, now)
    for place in sorted({*ours, *theirs}):
        comparison.compare(place[0], ours.get(place, []), theirs.get(place))
    return Explained(
        kind=export.kind,
        ours=sum(each.bill.total for each in billed),
        theirs=export.cost,
        causes=ledger.causes(),
        tokens=dict(comparison.tokens),
    )


def _key(billed: Sequence[Billed], export: Export, days: Days) -> Callable[[Billed], tuple[str, str]]:
    """Gives the row of the export that a reply belongs in, and its model there."""
    row = _row(export, days)
    if export.kind == BLOCKS:
        blocks = rows_of_blocks(billed, export.figures)
        return lambda each: (blocks.get(each.reply.message_id) or row(each), "")
    return lambda each: (row(each), _model_name(each))


def _row(export: Export, days: Days) -> Callable[[Billed], str]:
    if export.kind == "sessions":
        rows = {each.row for each in export.figures}
        return lambda each: stem if (stem := Path(each.reply.place.file).stem) in rows else each.line.session
    if export.kind == "weekly":
        first = _first_weekday(export)
        return lambda each: week_of(days.date(each.reply.at), first).isoformat()
    length = len("2026-11") if export.kind == "monthly" else len("2026-11-20")
    return lambda each: days.day(each.reply.at)[:length]


def _first_weekday(export: Export) -> int:
    """The day that the export's weeks begin with, Monday is 0; Sunday unless it says otherwise, as ccusage has it."""
    for each in export.figures:
        with suppress(ValueError):
            return date.fromisoformat(each.row).weekday()
    return _SUNDAY


def week_of(day: date, first: int) -> date:
    """The first day of the week that a day is in."""
    return day - timedelta(days=(day.weekday() - first) % 7)


def _model_name(each: Billed) -> str:
    name = each.reply.metered.model or ""
    return f"{name}-fast" if each.reply.metered.speed == "fast" else name


class _Ledger:
    """Dollars by cause."""

    def __init__(self) -> None:
        self._amounts: dict[str, Money] = defaultdict(int)
        self._rows: dict[str, set[str]] = defaultdict(set)

    def add(self, cause: str, amount: Money, row: str) -> None:
        if amount:
            self._amounts[cause] += amount
            self._rows[cause].add(row)

    def causes(self) -> tuple[Difference, ...]:
        made = [
            Difference(cause=each, amount=self._amounts[each], rows=len(self._rows[each])) for each in self._amounts
        ]
        return tuple(sorted(made, key=lambda each: (-abs(each.amount), each.cause)))


class _Comparison:
    """Rows of one model, ours beside theirs."""

    def __init__(self, prices: Catalogue, ledger: _Ledger, now: int) -> None:
        self._prices = prices
        self._now = now
        self._ledger = ledger
        self.tokens: dict[str, int] = defaultdict(int)

    def compare(self, row: str, ours: Sequence[Billed], theirs: Figures | None) -> None:
        total = sum(each.bill.total for each in ours)
        if theirs is None:
            self._ledger.add(ABSENT, total, row)
        elif not ours:
            self._ledger.add(MORE, -theirs.cost, row)
        elif not theirs.cost:
            self._ledger.add(UNKNOWN, total, row)
        elif all(each.bill.unpriced for each in ours):
            self._ledger.add(UNPRICED, total - theirs.cost, row)
        else:
            self._by_cause(row, ours, theirs)

    def _by_cause(self, row: str, ours: Sequence[Billed], theirs: Figures) -> None:
        lost = _lost(ours, theirs)
        expected: dict[str, Money] = defaultdict(int)
        for each in ours:
            plain = self._standard(each, each.usage)
            self._ledger.add(WEB, sum(amount for _, amount in each.bill.extras), row)
            tokens_only = sum(line.amount for line in each.bill.lines)
            without_geo = self._tokens_at(each, inference_geo=None)
            self._ledger.add(GEO, tokens_only - without_geo, row)
            standard = self._tokens_at(each, inference_geo=None, speed=None, service_tier=None)
            self._ledger.add(FAST, without_geo - standard, row)
            counted = lost.get(each.reply.message_id, each.usage) or Usage()
            split = self._split(each, counted)
            self._ledger.add(TIER, standard - plain - split, row)
            kept = self._standard(each, counted)
            self._ledger.add(NULL, plain - kept, row)
            today = self._standard(each, counted, at=self._now)
            self._ledger.add(DATED, kept - today, row)
            expected[each.model] += today + split
        self._settle(row, ours, theirs, lost, expected)

    def _settle(
        self,
        row: str,
        ours: Sequence[Billed],
        theirs: Figures,
        lost: Mapping[str, Usage | None],
        expected: Mapping[str, Money],
    ) -> None:
        counted = [lost.get(each.reply.message_id, each.usage) or Usage() for each in ours]
        gap = _gap(counted, theirs)
        for name, count in gap.items():
            self.tokens[name] += count
        left = sum(expected.values()) - theirs.cost
        if abs(left) < _CENT_FRACTION:
            cause = ROUNDING
        elif any(gap.values()):
            cause = COUNTED
        elif any(each.reply.metered.speed == "fast" for each in ours):
            cause = FAST
        elif left < 0 and any(each.bill.unpriced for each in ours):
            cause = UNPRICED
        else:
            cause = UNKNOWN if _is_of_some(left, expected) else PRICES
        self._ledger.add(cause, left, row)

    def _tokens_at(self, each: Billed, **changed: str | None) -> Money:
        metered = each.reply.metered
        if all(
            getattr(metered, name) in {None, value, "standard", "not_available", "global"}
            for name, value in changed.items()
        ):
            return sum(line.amount for line in each.bill.lines)
        bill = cost(replace(metered, **changed), at=each.reply.at, catalogue=self._prices)  # type: ignore[arg-type]  # texts of the same dataclass
        return sum(line.amount for line in bill.lines)

    def _standard(self, each: Billed, usage: Usage, *, at: int | None = None) -> Money:
        """At the standard rates of a short prompt, whatever the length; those of the reply's time or of another."""
        rates = self._rates(each, each.reply.at if at is None else at)
        return sum(usage.lane(lane) * (rates.lane(lane) or 0) for lane in LANES) if rates else 0

    def _split(self, each: Billed, usage: Usage) -> Money:
        """What ccusage adds for tokens past 200,000 of a lane."""
        rates, habits = self._rates(each, self._now), _habits()
        if rates is None or each.model not in habits.split_models:
            return 0
        above = habits.split_at
        written = usage.cache_write_5m + usage.cache_write_1h
        return (
            max(0, usage.input - above) * rates.input
            + max(0, written - above) * rates.cache_write_5m
            + max(0, usage.cache_read - above) * rates.cache_read
            + scale(max(0, usage.output - above) * (rates.output or 0), 1, 2)
        )

    def _rates(self, each: Billed, at: int) -> Rates | None:
        return self._prices.rates(each.reply.metered.model or "", at, 0, provider=each.reply.metered.provider)


def _is_of_some(amount: Money, by_model: Mapping[str, Money]) -> bool:
    """Whether an amount is just what some models of a block cost: those that ccusage has no price for."""
    each_alone = sorted((cost for cost in by_model.values() if cost), reverse=True)[:_MANY_MODELS]
    some = (sum(chosen) for many in range(1, len(each_alone)) for chosen in combinations(each_alone, many))
    return any(abs(amount - total) < _CENT_FRACTION for total in some)


def _gap(counted: Sequence[Usage], theirs: Figures) -> dict[str, int]:
    return {
        "input_tokens": sum(each.input for each in counted) - theirs.input,
        "output_tokens": sum(each.output for each in counted) - theirs.output,
        "cache_write_tokens": sum(each.cache_write_5m + each.cache_write_1h for each in counted) - theirs.cache_write,
        "cache_read_tokens": sum(each.cache_read for each in counted) - theirs.cache_read,
    }


def _lost(ours: Sequence[Billed], theirs: Figures) -> Mapping[str, Usage | None]:
    """Looks into the files only where the tokens differ."""
    if not any(_gap([each.usage for each in ours], theirs).values()):
        return {}
    return without_null_lines({Path(each.reply.place.file) for each in ours})

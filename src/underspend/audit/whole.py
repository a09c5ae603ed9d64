"""The whole audit: every figure that any surface shows, summed up once from the parts of a history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from underspend.audit import activity
from underspend.audit.bills import Billed, price
from underspend.audit.choice import Choice
from underspend.audit.days import Days
from underspend.audit.findings import Fault, Found, Pace, rank
from underspend.audit.groups import added, grouped
from underspend.audit.part import Looking, Part, part_of
from underspend.audit.plan import Paying, Plan
from underspend.audit.questions import NO_QUESTIONS, Questions, answered
from underspend.audit.reconcile import Cause, Reconciled, all_cut, reconciled
from underspend.audit.surroundings import gather
from underspend.audit.totals import Totals, merged
from underspend.audit.trend import Forecast, Moment, Trend, forecast, looked_back_to, trend
from underspend.core.advisor import Advisor, Finding, Surroundings
from underspend.core.history import History, Skipped
from underspend.pricing.catalogue import catalogue

if TYPE_CHECKING:
    from underspend.audit.gateway_side import BothSides
    from underspend.core.quota import Share

__all__ = ["Audit", "Choice", "Context", "audit", "looking_of", "pace_of", "summed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """An audit. `groups` are by_day, by_session … by_category; `billed` the chosen replies oldest first.

    `first_at` and `last_at` are the times of the first and last reply, 0 without any. `day` is the day that `timeline`
    shows: the dearest. `quota` are readings of the plan's limits. `gateway` is what
    the gateway's ledger holds of the same time, None where nothing. `cut` are replies cut before their end, which no
    total holds. `replies` fetches the replies themselves, which takes as long as the whole audit did when nothing of
    it was kept.
    """

    days: Days
    now: int
    paying: Paying
    pace: Pace
    totals: Totals
    groups: Mapping[str, Mapping[str, Totals]]
    found: Found
    questions: Questions
    trend: Trend | None
    forecast: Forecast | None
    blocks: Sequence[activity.Block]
    day: str | None
    timeline: Sequence[activity.Activity]
    reconciled: Sequence[Reconciled]
    cut: Cause | None
    around: Surroundings
    first_at: int
    last_at: int
    replies: Callable[[], Sequence[Billed]] = field(compare=False, repr=False)
    files: int = 0
    skipped: Sequence[Skipped] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)
    quota: Sequence[Share] = ()
    gateway: BothSides | None = None

    @property
    def billed(self) -> Sequence[Billed]:
        """The chosen replies oldest first."""
        return self.replies() if self.totals.requests else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an audit needs besides the history.

    `overrides` are the user's own prices, `quota` the readings of the plan's limits that there are. `short` asks only
    for what the short report says: the bill, the findings, the groups. All else stays empty.
    """

    now: int
    zone: tzinfo | None = None
    paying: Paying = field(default_factory=lambda: Paying(plan=Plan.UNKNOWN, why="nobody said so"))
    advisors: Sequence[type[Advisor[Any]]] = ()
    choice: Choice = field(default_factory=Choice)
    overrides: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    short: bool = False
    quota: Sequence[Share] = ()


def audit(history: History, context: Context, *, around: Surroundings | None = None) -> Audit:
    """The whole audit of a history in one part. `around` brings settings and memory files."""
    known = around or surroundings_of(history, context)
    part = part_of(history, looking_of(context, known))
    return summed([part], context, known, partial(chosen, history, context))


def surroundings_of(history: History, context: Context) -> Surroundings:
    """The surroundings of a history whose client's folders nobody named."""
    directories = [line.directory for line in history.timelines]
    return gather(directories, now=context.now)


def looking_of(context: Context, around: Surroundings) -> Looking:
    """How the parts of an audit are to be looked at."""
    return Looking(
        days=Days(context.zone),
        advisors=context.advisors,
        choice=context.choice,
        overrides=context.overrides,
        settings=around.settings,
        memory_files=around.memory_files,
        memory_readers=around.memory_readers,
        retention_days=around.retention_days,
    )


def chosen(history: History, context: Context) -> list[Billed]:
    """The chosen replies of a history, oldest first."""
    prices = catalogue().with_overrides(context.overrides) if context.overrides else catalogue()
    billed = price(replace(history, timelines=context.choice.timelines(history.timelines)), prices)
    return [each for each in billed if context.choice.is_chosen(each)]


def summed(
    parts: Sequence[Part], context: Context, around: Surroundings, replies: Callable[[], Sequence[Billed]]
) -> Audit:
    """The audit of all parts, in any order; `replies` gives the replies they were made of."""
    around = replace(around, now=context.now)
    days = Days(context.zone)
    with_replies = [part for part in parts if part.groups[0]]
    groups = grouped([part.groups for part in with_replies])
    pace = pace_of(groups["by_day"])
    first_at = min((part.first_at for part in with_replies), default=0)
    last_at = max((part.last_at for part in with_replies), default=0)
    return Audit(
        days=days,
        now=context.now,
        paying=context.paying,
        pace=pace,
        totals=merged(groups["by_day"].values()),
        found=_found(parts, context, around, pace),
        around=around,
        first_at=first_at,
        last_at=last_at,
        replies=replies,
        files=sum(part.files for part in parts),
        skipped=sorted(
            (each for part in parts for each in part.skipped), key=lambda each: (each.place.file, each.place.line)
        ),
        unknown=_unknown(parts),
        quota=context.quota,
        cut=all_cut(part.cut for part in parts),
        **_details(with_replies, context, groups, days, first_at),
    )


def pace_of(days: Iterable[str]) -> Pace:
    """The active days and the calendar days they span."""
    active = sorted(map(date.fromisoformat, days))
    return Pace(active=len(active), span=(active[-1] - active[0]).days + 1) if active else Pace(active=0, span=0)


_NO_DETAILS: Mapping[str, Any] = {
    "questions": NO_QUESTIONS,
    "trend": None,
    "forecast": None,
    "blocks": (),
    "day": None,
    "timeline": (),
    "reconciled": [],
}


def _details(
    parts: Sequence[Part],
    context: Context,
    groups: Mapping[str, Mapping[str, Totals]],
    days: Days,
    first_at: int,
) -> dict[str, Any]:
    """What only the long report shows: fields of `Audit` by name."""
    if context.short:
        return {"groups": groups, **_NO_DETAILS}
    now, day = context.now, activity.dearest_day(groups["by_day"])
    moments = _moments(parts, now)
    by_category = {name: Totals.of(counts) for name, counts in added(part.categories for part in parts).items()}
    return {
        "groups": {**groups, "by_category": by_category or categories_of_nothing()},
        "questions": answered([part.asked for part in parts]),
        "trend": trend(moments, days, now),
        "forecast": forecast(moments, days, now, first_at=first_at),
        "blocks": activity.blocks(hour for part in parts for hour in part.hours),
        "day": day,
        "timeline": activity.timeline(_windows(parts, day)),
        "reconciled": reconciled([part.told for part in parts]),
    }


def categories_of_nothing() -> dict[str, Totals]:
    """The categories where there are no replies: all there, all empty."""
    from underspend.audit.categories import Category

    return {category.value: Totals() for category in Category}


_decode_moments = msgspec.msgpack.Decoder(list[Moment]).decode
_decode_windows = msgspec.msgpack.Decoder(list[activity.Window]).decode


def _moments(parts: Sequence[Part], now: int) -> list[Moment]:
    """The moments that bear on trend and forecast, in time."""
    since = looked_back_to(max((part.last_at for part in parts), default=0), now)
    found = [each for part in parts if part.last_at >= since for each in _decode_moments(part.moments)]
    return sorted(found, key=lambda each: each.at)


def _windows(parts: Iterable[Part], day: str | None) -> list[activity.Window]:
    packed = [part.windows[day] for part in parts if day in part.windows] if day else []
    return [window for raw in packed for window in _decode_windows(raw)]


def _unknown(parts: Iterable[Part]) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind, times in (pair for part in parts for pair in part.unknown.items()):
        found[kind] = found.get(kind, 0) + times
    return found


def _found(parts: Sequence[Part], context: Context, around: Surroundings, pace: Pace) -> Found:
    """The findings of all advisors, ranked. One that failed anywhere is named in `faults` and skipped."""
    found: list[Finding] = []
    faults: list[Fault] = []
    for advisor in context.advisors:
        problem = next((part.faults[advisor.name] for part in parts if advisor.name in part.faults), None)
        if problem is None:
            try:
                found += advisor().sum_up(_facts(parts, advisor), around)
                continue
            except Exception as error:  # noqa: BLE001  # a fault in one advisor must not cost the user the report
                problem = f"{type(error).__name__}: {error}"
        faults.append(Fault(advisor=advisor.name, problem=problem))
    spent = sum(part.spent for part in parts)
    return Found(ranked=rank(found, [part.claims for part in parts], spent, pace), faults=tuple(faults))


def _facts(parts: Iterable[Part], advisor: type[Advisor[Any]]) -> list[Any]:
    decode: Callable[[msgspec.Raw], Any] = msgspec.msgpack.Decoder(advisor.facts).decode
    return [decode(part.facts[advisor.name]) for part in parts if advisor.name in part.facts]

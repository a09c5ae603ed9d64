"""The whole audit of a history: every figure that any surface shows, computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from functools import partial
from typing import Any

from underspend.audit import activity, categories
from underspend.audit.bills import Billed, by_message, price
from underspend.audit.days import Days
from underspend.audit.findings import Found, Pace, heard, settled
from underspend.audit.groups import grouped
from underspend.audit.plan import Paying, Plan
from underspend.audit.questions import NO_QUESTIONS, Questions, ask
from underspend.audit.rates import CatalogueRates
from underspend.audit.reconcile import Cause, Reconciled, cut_replies, reconcile
from underspend.audit.sharing import Task, done
from underspend.audit.surroundings import gather
from underspend.audit.totals import Totals, merged
from underspend.audit.trend import Forecast, Trend, forecast, trend
from underspend.core.advisor import Advisor, Surroundings
from underspend.core.history import History, Skipped, Timeline
from underspend.pricing.catalogue import Catalogue

_WORTH_A_PROCESS = 5_000
"""Replies from which on a second process is faster than its making."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which replies to look at: from `since` (inclusive) to `until` (exclusive) in µs; None asks for all.

    `project` is its name or its directory; `model` as billed or as named; `session` the beginning of an id.
    """

    since: int | None = None
    until: int | None = None
    project: str | None = None
    model: str | None = None
    session: str | None = None

    def timelines(self, lines: Iterable[Timeline]) -> list[Timeline]:
        """The chosen timelines, cut to the chosen time."""
        kept = [line for line in lines if self._is_of(line)]
        if self.since is None and self.until is None:
            return kept
        cut = (replace(line, events=[event for event in line.events if self._is_when(event.at)]) for line in kept)
        return [line for line in cut if line.events]

    def is_chosen(self, each: Billed) -> bool:
        """Whether a reply of a chosen timeline is of the chosen model and time."""
        return self._is_when(each.reply.at) and self.model in {None, each.model, each.reply.metered.model}

    def _is_of(self, line: Timeline) -> bool:
        if self.project is not None and self.project not in {line.project, line.directory}:
            return False
        return self.session is None or line.session.startswith(self.session)

    def _is_when(self, at: int) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """An audit. `groups` are by_day, by_session … by_category; `billed` the chosen replies oldest first.

    `first_at` and `last_at` are the times of the first and last reply, 0 without any. `day` is the day that `timeline`
    shows: the dearest. `cut` are replies cut before their end, which no total holds.
    """

    billed: Sequence[Billed]
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
    files: int = 0
    skipped: Sequence[Skipped] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)

    @property
    def first_at(self) -> int:
        """The time of the first reply."""
        return self.billed[0].reply.at if self.billed else 0

    @property
    def last_at(self) -> int:
        """The time of the last reply."""
        return self.billed[-1].reply.at if self.billed else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an audit needs besides the history.

    `short` asks only for what the short report says: the bill, the findings, the groups. All else stays empty.
    """

    now: int
    zone: tzinfo | None = None
    paying: Paying = field(default_factory=lambda: Paying(plan=Plan.UNKNOWN, why="nobody said so"))
    advisors: Sequence[type[Advisor]] = ()
    choice: Choice = field(default_factory=Choice)
    prices: Catalogue | None = None
    short: bool = False


def audit(history: History, context: Context, *, around: Surroundings | None = None) -> Audit:
    """The whole audit. `around` brings settings and memory files; bills and rates are this history's."""
    days, choice = Days(context.zone), context.choice
    history = replace(history, timelines=choice.timelines(history.timelines))
    everything = price(history, context.prices)
    billed = [each for each in everything if choice.is_chosen(each)]
    rates = CatalogueRates(history, context.prices)
    bills = by_message(everything)
    known = gather(history, now=context.now, bills=bills, rates=rates) if around is None else around
    known = replace(known, now=context.now, bills=bills, rates=rates)
    pace = pace_of(billed, days)
    names = {each.reply.message_id for each in billed}
    chosen = None if len(billed) == len(everything) else names.__contains__
    parts = _Parts(history, context, everything, billed, days, rates)
    tasks: list[Task] = [parts.places, parts.course, parts.sessions]
    tasks += [partial(heard, advisor, history, known) for advisor in context.advisors]
    places, course, sessions, *answers = done(tasks, by_two=len(everything) > _WORTH_A_PROCESS)
    return Audit(
        billed=billed,
        days=days,
        now=context.now,
        paying=context.paying,
        pace=pace,
        totals=merged(places["groups"]["by_day"].values()),
        found=settled(answers, bills, pace=pace, only=chosen),
        around=known,
        files=len(history.files),
        skipped=history.skipped,
        unknown=history.unknown,
        **places,
        **course,
        **sessions,
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of an audit beside the findings, each computed apart from the others: fields of `Audit` by name."""

    history: History
    context: Context
    everything: Sequence[Billed]
    billed: Sequence[Billed]
    days: Days
    rates: CatalogueRates

    def places(self) -> dict[str, Any]:
        """Where the money went."""
        kinds = {} if self.context.short else categories.kinds(self.billed)
        groups = grouped(self.billed, self.days)
        if self.context.short:
            return {"groups": groups, "questions": NO_QUESTIONS}
        by_category = categories.by_category(self.billed, self.history.timelines, kinds)
        questions = ask(self.billed, kinds, self.context.prices)
        return {"groups": {**groups, "by_category": by_category}, "questions": questions}

    def course(self) -> dict[str, Any]:
        """When it went."""
        if self.context.short:
            return {"trend": None, "forecast": None, "blocks": (), "day": None, "timeline": ()}
        billed, days, now = self.billed, self.days, self.context.now
        day = activity.dearest_day(billed, days)
        return {
            "trend": trend(billed, days, now),
            "forecast": forecast(billed, days, now),
            "blocks": activity.blocks(billed),
            "day": day,
            "timeline": activity.timeline(billed, day, days) if day else (),
        }

    def sessions(self) -> dict[str, Any]:
        """What the transcripts lack."""
        cut = cut_replies(self.history.timelines, self.rates)
        if self.context.short or _is_part(self.context.choice):
            return {"cut": cut, "reconciled": []}
        ours = {each.line.session for each in self.billed}
        found = reconcile(self.history, self.everything, self.rates, self.context.prices)
        return {"cut": cut, "reconciled": [each for each in found if each.session in ours]}


def pace_of(billed: Sequence[Billed], days: Days) -> Pace:
    """The active days of the replies and the calendar days they span."""
    if not billed:
        return Pace(active=0, span=0)
    active = {days.date(each.reply.at) for each in billed}
    return Pace(active=len(active), span=(max(active) - min(active)).days + 1)


def _is_part(choice: Choice) -> bool:
    """Whether only a part of each session is looked at, which its own total could not be held against."""
    return choice.since is not None or choice.until is not None or choice.model is not None

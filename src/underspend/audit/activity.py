"""What a day was spent on, hour by hour, and the five-hour blocks that plans are limited by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from underspend.audit.bills import Billed
from underspend.audit.categories import Category, is_check, is_edit, kind_of
from underspend.audit.days import HOUR, MINUTE, Days
from underspend.audit.totals import Totals
from underspend.core.money import Money

WINDOW = 30 * MINUTE
BLOCK = 5 * HOUR
_QUARTER = 15 * MINUTE
_QUARTERS = WINDOW // _QUARTER

READING, CODING, TESTING, DOCS = "reading code", "writing code", "testing", "writing docs"
PLANNING, COMMANDS, AGENTS, TALKING = "planning", "running commands", "sub-agents", "discussion"
OTHER = "other tools"

_OF_KIND = {Category.COMPLEX: PLANNING, Category.SIMPLE: READING, Category.ROUTINE: COMMANDS}
_TEST_FILE = re.compile(r"(^|[/_.-])(tests?|specs?|__tests__)([/_.-]|$)|(Tests?|Spec)\.\w+$", re.IGNORECASE)
_DOC_FILE = re.compile(r"\.(md|rst|txt|adoc)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A stretch of a day on one kind of work in one project: times in µs, dollars in pico-dollars."""

    since: int
    until: int
    what: str
    project: str
    calls: int
    models: tuple[str, ...]
    cost: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Five hours from the full hour of a first reply: what a plan's session limit counts. `last` is the last reply."""

    since: int
    until: int
    last: int
    calls: int
    tokens: int
    cost: Money


def activity_of(each: Billed, kind: Category | None = None) -> str:
    """What a reply was about, from its tools alone; `kind` is their category where that is known already."""
    reply = each.reply
    if each.is_agent:
        return AGENTS
    if not reply.tools:
        return TALKING
    edited = [use.target for use in reply.tools if is_edit(use)]
    if edited and any(map(_is_test, edited)):
        return TESTING
    for use in reply.tools:
        if use.name == "Bash" and is_check(use.target):
            return TESTING
    if edited:
        return DOCS if all(map(_is_text, edited)) else CODING
    return _OF_KIND.get(kind or kind_of(reply) or Category.UNCLASSIFIED, OTHER)


@lru_cache(maxsize=4_096)
def _is_test(target: str) -> bool:
    return _TEST_FILE.search(target) is not None


@lru_cache(maxsize=4_096)
def _is_text(target: str) -> bool:
    return _DOC_FILE.search(target) is not None


class Window(msgspec.Struct, array_like=True, gc=False):
    """Half an hour's work in one project, in a part of the replies: dollars by activity and by model."""

    number: int
    project: str
    calls: int = 0
    whats: dict[str, Money] = msgspec.field(default_factory=dict)
    models: dict[str, Money] = msgspec.field(default_factory=dict)

    def merge(self, more: Window) -> None:
        """Count in what another part has counted."""
        self.calls += more.calls
        for mine, others in ((self.whats, more.whats), (self.models, more.models)):
            for name, amount in others.items():
                mine[name] = mine.get(name, 0) + amount


def windows(
    billed: Iterable[Billed], days: Days, places: Mapping[str, Category] | None = None
) -> dict[str, list[Window]]:
    """The half hours of each day; `places` are the replies' own categories by message id, where they are known."""
    known = places or {}
    sums: dict[tuple[str, int, str, str, str], list[int]] = {}
    number, day = -1, ""
    for each in billed:
        reply = each.reply
        quarter = reply.at // _QUARTER
        if quarter != number:
            # No zone's day begins within one.
            number, day = quarter, days.day(reply.at)
        key = (
            day,
            quarter // _QUARTERS,
            each.line.project,
            activity_of(each, known.get(reply.message_id)),
            each.model,
        )
        row = sums.get(key)
        if row is None:
            sums[key] = [1, each.bill.total]
        else:
            row[0] += 1
            row[1] += each.bill.total
    found: dict[tuple[str, int, str], Window] = {}
    made: dict[str, list[Window]] = {}
    for (day, number, project, what, model), (calls, total) in sums.items():
        window = found.get((day, number, project))
        if window is None:
            window = found[day, number, project] = Window(number, project)
            made.setdefault(day, []).append(window)
        window.merge(Window(number, project, calls, {what: total}, {model: total}))
    return made


def timeline(parts: Iterable[Window]) -> list[Activity]:
    """A day in order. A half hour is named after what most of its dollars went to; equal neighbours are one."""
    together: dict[tuple[int, str], Window] = {}
    for part in parts:
        key = (part.number, part.project)
        together.setdefault(key, Window(*key)).merge(part)
    found: list[Activity] = []
    newest: dict[str, int] = {}
    for (_, project), window in sorted(together.items()):
        made = _named(window)
        last = found[newest[project]] if project in newest else None
        if last and (last.what, last.until) == (made.what, made.since):
            found[newest[project]] = _joined(last, made)
        else:
            newest[project] = len(found)
            found.append(made)
    return found


def _named(window: Window) -> Activity:
    since = window.number * WINDOW
    return Activity(
        since=since,
        until=since + WINDOW,
        what=_dearest(window.whats)[0],
        project=window.project,
        calls=window.calls,
        models=tuple(_dearest(window.models)),
        cost=sum(window.whats.values()),
    )


def _dearest(dollars: Mapping[str, Money]) -> list[str]:
    return sorted(dollars, key=lambda name: (-dollars[name], name))


def _joined(first: Activity, then: Activity) -> Activity:
    return Activity(
        since=first.since,
        until=then.until,
        what=first.what,
        project=first.project,
        calls=first.calls + then.calls,
        models=tuple(dict.fromkeys((*first.models, *then.models))),
        cost=first.cost + then.cost,
    )


def dearest_day(days: Mapping[str, Totals]) -> str | None:
    """The day that cost most; None without replies."""
    return max(days, key=lambda day: (days[day].cost, day), default=None)


class Hour(msgspec.Struct, array_like=True, gc=False):
    """The replies of one UTC hour, those on its very beginning apart (as half a number): a block may end with them."""

    half: int
    calls: int = 0
    tokens: int = 0
    cost: Money = 0
    last: int = 0

    def merge(self, more: Hour) -> None:
        """Count in what another part has counted."""
        self.calls += more.calls
        self.tokens += more.tokens
        self.cost += more.cost
        self.last = max(self.last, more.last)


def hours(billed: Iterable[Billed]) -> list[Hour]:
    """The hours with replies."""
    found: dict[int, Hour] = {}
    half, known = -1, Hour(-1)
    for each in billed:
        at, usage = each.reply.at, each.usage
        now = at // HOUR * 2 + (at % HOUR > 0)
        if now != half:
            # Replies come in their order: few are of another hour than the one before.
            half, known = now, found.setdefault(now, Hour(now))
        known.calls += 1
        known.tokens += usage.input + usage.cache_write_5m + usage.cache_write_1h + usage.cache_read + usage.output
        known.cost += each.bill.total
        if at > known.last:  # noqa: PLR1730  (once for each reply of years)
            known.last = at
    return list(found.values())


def blocks(parts: Iterable[Hour]) -> list[Block]:
    """The five-hour blocks in order, from the hours of all parts.

    A block begins at the full UTC hour of a reply that comes five hours after the last block began (and so also of one
    that comes five hours after the last reply).
    """
    together: dict[int, Hour] = {}
    for part in parts:
        together.setdefault(part.half, Hour(part.half)).merge(part)
    found: list[Block] = []
    block = Hour(0)
    for half, hour in sorted(together.items()):
        if not block.calls or half > block.half + 2 * BLOCK // HOUR:
            if block.calls:
                found.append(_block(block))
            block = Hour(half - half % 2)
        block.merge(hour)
    return [*found, _block(block)] if block.calls else found


def _block(hour: Hour) -> Block:
    since = hour.half // 2 * HOUR
    return Block(since=since, until=since + BLOCK, last=hour.last, calls=hour.calls, tokens=hour.tokens, cost=hour.cost)

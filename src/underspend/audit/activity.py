"""What a day was spent on, hour by hour, and the five-hour blocks that plans are limited by."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from underspend.audit.bills import Billed
from underspend.audit.categories import Category, is_check, is_edit, kind_of
from underspend.audit.days import HOUR, MINUTE, Days
from underspend.core.money import Money

WINDOW = 30 * MINUTE
BLOCK = 5 * HOUR

READING, CODING, TESTING, DOCS = "reading code", "writing code", "testing", "writing docs"
PLANNING, COMMANDS, AGENTS, TALKING = "planning", "running commands", "sub-agents", "discussion"
OTHER = "other tools"

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


def activity_of(each: Billed) -> str:
    """What a reply was about, from its tools alone."""
    reply = each.reply
    if each.is_agent:
        return AGENTS
    if not reply.tools:
        return TALKING
    edited = [use.target for use in reply.tools if is_edit(use)]
    if any(_TEST_FILE.search(target) for target in edited) or any(
        use.name == "Bash" and is_check(use.target) for use in reply.tools
    ):
        return TESTING
    if edited:
        return DOCS if all(_DOC_FILE.search(target) for target in edited) else CODING
    kind = kind_of(reply)
    if kind is Category.COMPLEX:
        return PLANNING
    return {Category.SIMPLE: READING, Category.ROUTINE: COMMANDS}.get(kind or Category.UNCLASSIFIED, OTHER)


def timeline(billed: Iterable[Billed], day: str, days: Days) -> list[Activity]:
    """One day in order. A half hour is named after what most of its dollars went to; equal neighbours are one."""
    windows: dict[tuple[int, str], list[Billed]] = {}
    for each in billed:
        at = each.reply.at
        if days.day(at) == day:
            windows.setdefault((at // WINDOW, each.line.project), []).append(each)
    found: list[Activity] = []
    newest: dict[str, int] = {}
    for (window, project), members in sorted(windows.items()):
        made = _named(members, window * WINDOW)
        last = found[newest[project]] if project in newest else None
        if last and (last.what, last.until) == (made.what, made.since):
            found[newest[project]] = _joined(last, made)
        else:
            newest[project] = len(found)
            found.append(made)
    return found


def _named(members: Sequence[Billed], since: int) -> Activity:
    dollars: Counter[str] = Counter()
    models: Counter[str] = Counter()
    for each in members:
        dollars[activity_of(each)] += each.bill.total
        models[each.model] += each.bill.total
    return Activity(
        since=since,
        until=since + WINDOW,
        what=dollars.most_common(1)[0][0],
        project=members[0].line.project,
        calls=len(members),
        models=tuple(name for name, _ in models.most_common()),
        cost=sum(each.bill.total for each in members),
    )


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


def dearest_day(billed: Iterable[Billed], days: Days) -> str | None:
    """The day that cost most; None without replies."""
    dollars: Counter[str] = Counter()
    for each in billed:
        dollars[days.day(each.reply.at)] += each.bill.total
    return max(dollars, key=lambda day: (dollars[day], day), default=None)


def blocks(billed: Sequence[Billed]) -> list[Block]:
    """The five-hour blocks in order, from replies in time.

    A block begins at the full UTC hour of a reply that comes five hours after the last block began, or after the last
    reply.
    """
    found: list[Block] = []
    members: list[Billed] = []
    since = 0
    for each in billed:
        at = each.reply.at
        if members and (at - since > BLOCK or at - members[-1].reply.at > BLOCK):
            found.append(_block(members, since))
            members = []
        if not members:
            since = at - at % HOUR
        members.append(each)
    return [*found, _block(members, since)] if members else found


def _block(members: Sequence[Billed], since: int) -> Block:
    used = [each.usage for each in members]
    return Block(
        since=since,
        until=since + BLOCK,
        last=members[-1].reply.at,
        calls=len(members),
        tokens=sum(usage.prompt + usage.output for usage in used),
        cost=sum(each.bill.total for each in members),
    )

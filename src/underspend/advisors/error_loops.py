"""Calls spent on trying the same thing again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import ClassVar, NamedTuple

import msgspec

from underspend.advisors.reading import Step, first, moment, steps_of
from underspend.core.advisor import Advisor, Claimed, Confidence, Finding, Seen, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import Event, History, Mark, MarkKind, Result, Timeline, ToolUse, Typed
from underspend.core.money import Money, show
from underspend.core.reply import Bill
from underspend.core.usage import Lane

LEAST = 3
"""Failures in a row that make a loop: the second try is fair."""

_EDITING = frozenset({"Edit", "MultiEdit", "Write", "NotebookEdit"})
_ROWS = 100
_LABEL = 120
_FAILING, _CUT = "error-loops/failing-tools", "error-loops/cut-replies"


@dataclass(slots=True)
class _Loop:
    """Failures of one kind in a row; `tries` are the steps that made them with how many of the step's uses failed."""

    timeline: Timeline
    name: str
    tries: list[Step] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    def add(self, step: Step) -> None:
        if not self.failed[step.reply.message_id]:
            self.tries.append(step)
        self.failed[step.reply.message_id] += 1


class _Again(NamedTuple):
    """A reply that was recorded and asked for again after an API error, with no result in between."""

    timeline: Timeline
    cut: Step
    step: Step


class Loop(msgspec.Struct, array_like=True, gc=False):
    """A loop as evidence: where and when it began, what failed, in how many replies, how often, at what cost."""

    session: str
    agent: str
    at: int
    message: str
    name: str
    tries: int
    times: int
    cost: Money

    def order(self) -> tuple[object, ...]:
        """The longest loops first."""
        return -self.tries, self.at, self.message, self.name


class CutOff(msgspec.Struct, array_like=True, gc=False):
    """A reply that was cut off and asked for again, as evidence."""

    at: int
    message: str
    session: str
    agent: str
    prompt: int
    cost: Money
    again: str


class Errors(msgspec.Struct, array_like=True, gc=False):
    """The API errors of one name in a session: how often, since when, how large prompts were, how many got through."""

    name: str
    session: str
    times: int
    since: int
    prompt: int
    through: int


class LoopFacts(msgspec.Struct, array_like=True, gc=False):
    """What there was of each kind; the loops and cut replies are the first `_ROWS`, counted and summed up whole."""

    loops: list[Loop]
    loop_count: int
    tries: int
    failing: Money
    cut: list[CutOff]
    cut_count: int
    lost: Money
    errors: list[Errors]


class ErrorLoops(Advisor[LoopFacts]):
    """API errors and what was asked for twice because of them; commands and tools that failed again and again."""

    __slots__ = ()
    name: ClassVar[str] = "error-loops"
    facts: ClassVar[type] = LoopFacts

    def look(self, history: History, around: Surroundings) -> Seen | None:
        """Failing tools, replies repeated after errors, API errors."""
        loops: list[_Loop] = []
        again: list[_Again] = []
        errors: list[tuple[Timeline, Mark, Step | None]] = []
        for timeline in history.timelines:
            row = steps_of(timeline, around)
            loops += _loops(timeline, row)
            if any(type(event) is Mark and event.kind is MarkKind.API_ERROR for event in _marks(timeline, row)):
                again += _repeated(timeline, row)
                errors += _errors(timeline, row)
        if not (loops or again or errors):
            return None
        failing = _shares(loops, around.bills)
        lost = [claim for each in again for claim in _lanes(each.cut.reply.message_id, around.bills, 1, 1)]
        facts = LoopFacts(
            loops=first([[_kept(loop, around.bills) for loop in loops]], Loop.order, _ROWS),
            loop_count=len(loops),
            tries=sum(len(loop.tries) for loop in loops),
            failing=sum(amount for _, _, amount in failing),
            cut=first([[_cut_off(each, around.bills) for each in again]], _when, _ROWS),
            cut_count=len(again),
            lost=sum(amount for _, _, amount in lost),
            errors=_grouped(errors),
        )
        return Seen(facts, {_FAILING: failing, _CUT: lost})

    def sum_up(self, facts: Sequence[LoopFacts], around: Surroundings) -> Iterable[Finding]:
        """At most one finding each for failing tools, replies repeated after errors, and API errors (no dollars)."""
        del around
        if any(each.loop_count for each in facts):
            yield _failing(facts)
        if any(each.cut_count for each in facts):
            yield _cut(facts)
        errors = [error for each in facts for error in each.errors]
        if errors:
            yield _api_errors(errors)


def _marks(timeline: Timeline, row: list[Step]) -> Sequence[Event]:
    """The events of a timeline, or none of them where none of its steps has a mark before it and none follows them."""
    last = row[-1].reply if row else None
    tail = takewhile(lambda event: event is not last, reversed(timeline.events))
    is_marked = any(step.marked for step in row) or any(type(event) is Mark for event in tail)
    return timeline.events if is_marked else ()


def _loops(timeline: Timeline, row: list[Step]) -> list[_Loop]:
    """The loops of a timeline. A success of the same kind, an edit or a person's prompt ends a loop."""
    if sum([result.is_error for step in row for result in step.results]) < LEAST:
        return []
    made: dict[str, tuple[Step, ToolUse]] = {}
    running: dict[str, _Loop] = {}
    ended: list[_Loop] = []
    for step in row:
        for event in step.before:
            if running:
                ended += [running.pop(key) for key in _ends(event, made, running)]
            if type(event) is Result and event.is_error and event.use_id in made:
                maker, use = made[event.use_id]
                running.setdefault(_key(use), _Loop(timeline, _key(use))).add(maker)
        for use in step.reply.tools:
            made[use.id] = (step, use)
    return [loop for loop in (*ended, *running.values()) if len(loop.tries) >= LEAST]


def _ends(event: Event, made: Mapping[str, tuple[Step, ToolUse]], running: Mapping[str, _Loop]) -> list[str]:
    """Which running loops an event ends."""
    if type(event) is Typed:
        return list(running) if event.by_person else []
    if type(event) is not Result or event.is_error or event.use_id not in made:
        return []
    use = made[event.use_id][1]
    if use.name in _EDITING:
        return list(running)
    return [_key(use)] if _key(use) in running else []


def _key(use: ToolUse) -> str:
    """What counts as the same try: the same command, or any use of another tool."""
    return f"{use.name} {use.target}" if use.name == "Bash" else use.name


def _repeated(timeline: Timeline, row: list[Step]) -> Iterator[_Again]:
    for earlier, step in pairwise(row):
        went_on = any(isinstance(event, (Result, Typed)) for event in step.before)
        if step.mark(MarkKind.API_ERROR) and not went_on and not earlier.reply.finalised:
            yield _Again(timeline, earlier, step)


def _errors(timeline: Timeline, row: list[Step]) -> Iterator[tuple[Timeline, Mark, Step | None]]:
    """The API errors with the reply that came through in the end."""
    seen = 0
    for step in row:
        for event in step.before:
            if type(event) is Mark and event.kind is MarkKind.API_ERROR:
                seen += 1
                yield timeline, event, step
    marks = [event for event in timeline.events if type(event) is Mark and event.kind is MarkKind.API_ERROR]
    for mark in marks[seen:]:
        yield timeline, mark, None


def _failing(facts: Sequence[LoopFacts]) -> Finding:
    amount = sum(each.failing for each in facts)
    tries, loops = sum(each.tries for each in facts), sum(each.loop_count for each in facts)
    return Finding(
        id=_FAILING,
        urgency=Urgency.HABIT,
        title=f"{tries} tries at what had just failed, in {loops} loops: {show(amount)}",
        amount=amount,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.BILLED,
        why=(
            "The same command, or the same tool, failed three times or more in a row, with no success, edit or prompt "
            "of yours in between. The amount is what the replies that tried again cost, the first try left out; a "
            "reply that did other things too counts for its share."
        ),
        fix=(
            "Add to CLAUDE.md: When a command fails twice, stop and say what you need. Correct the command in "
            "CLAUDE.md (the rows name it), allow it in permissions, or disconnect the server that fails."
        ),
        claimed=(_FAILING,),
        rows=[_loop_row(loop) for loop in first((each.loops for each in facts), Loop.order, _ROWS)],
    )


def _shares(loops: list[_Loop], bills: Mapping[str, Bill]) -> list[Claimed]:
    """What the tries after each loop's first cost. A reply in several loops gives no more than itself."""
    failed: Counter[str] = Counter()
    replies: dict[str, Step] = {}
    for loop in loops:
        for step in loop.tries[1:]:
            failed[step.reply.message_id] += loop.failed[step.reply.message_id]
            replies[step.reply.message_id] = step
    made: list[Claimed] = []
    for message, step in sorted(replies.items()):
        made += _lanes(message, bills, min(failed[message], len(step.reply.tools)), len(step.reply.tools))
    return made


def _lanes(message: str, bills: Mapping[str, Bill], part: int, whole: int) -> list[Claimed]:
    bill = bills.get(message)
    if bill is None:
        return []
    found = ((lane, bill.lane(lane) * part // whole) for lane in Lane)
    return [(message, lane, amount) for lane, amount in found if amount]


def _kept(loop: _Loop, bills: Mapping[str, Bill]) -> Loop:
    begun = loop.tries[0].reply
    return Loop(
        session=loop.timeline.session,
        agent=loop.timeline.agent or "",
        at=begun.at,
        message=begun.message_id,
        name=loop.name,
        tries=len(loop.tries),
        times=sum(loop.failed.values()),
        cost=sum(amount for _, _, amount in _shares([loop], bills)),
    )


def _loop_row(loop: Loop) -> dict[str, str | int]:
    return {
        "session": loop.session,
        "agent": loop.agent,
        "when": moment(loop.at),
        "what failed": loop.name[:_LABEL],
        "times": loop.times,
        "cost": show(loop.cost),
    }


def _cut_off(each: _Again, bills: Mapping[str, Bill]) -> CutOff:
    message = each.cut.reply.message_id
    return CutOff(
        at=each.cut.reply.at,
        message=message,
        session=each.timeline.session,
        agent=each.timeline.agent or "",
        prompt=each.cut.prompt.size,
        cost=bills[message].total if message in bills else 0,
        again=each.step.reply.message_id,
    )


def _when(each: CutOff) -> tuple[int, str]:
    return each.at, each.message


def _cut(facts: Sequence[LoopFacts]) -> Finding:
    amount = sum(each.lost for each in facts)
    return Finding(
        id=_CUT,
        urgency=Urgency.FYI,
        title=(
            f"{sum(each.cut_count for each in facts)} replies were cut off by an error and asked for again: "
            f"{show(amount)}"
        ),
        amount=amount,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=(
            "The reply has no end in the record, an API error follows it, and the next reply answers the same prompt. "
            "The provider bills the prompt of a cut reply and what it had written."
        ),
        claimed=(_CUT,),
        rows=[
            {
                "session": each.session,
                "agent": each.agent,
                "when": moment(each.at),
                "prompt tokens": each.prompt,
                "cost": show(each.cost),
                "asked again in": each.again,
            }
            for each in first((each.cut for each in facts), _when, _ROWS)
        ],
    )


def _grouped(errors: list[tuple[Timeline, Mark, Step | None]]) -> list[Errors]:
    groups: dict[tuple[str, str], list[tuple[Mark, Step | None]]] = defaultdict(list)
    for timeline, mark, step in errors:
        groups[mark.detail or "unknown", timeline.session].append((mark, step))
    made = []
    for (name, session), found in groups.items():
        prompts = {step.reply.message_id: step.prompt.size for _, step in found if step is not None}
        largest = max(prompts.values(), default=0)
        made.append(Errors(name, session, len(found), min(mark.at for mark, _ in found), largest, len(prompts)))
    return made


def _api_errors(errors: list[Errors]) -> Finding:
    kinds: Counter[str] = Counter()
    for each in errors:
        kinds[each.name] += each.times
    ordered = sorted(kinds.items(), key=lambda each: (-each[1], each[0]))
    rows = sorted(errors, key=lambda each: (-each.times, each.since, each.name, each.session))
    return Finding(
        id=f"{ErrorLoops.name}/api-errors",
        urgency=Urgency.FYI,
        title=f"{kinds.total()} API errors: {', '.join(f'{count} × {kind}' for kind, count in ordered)}",
        amount=0,
        confidence=Confidence.HIGH,
        evidence=Evidence.BILLED,
        why=(
            "The client tried again after each. A request that failed before its reply began costs nothing; one cut in "
            "mid-reply is billed but leaves no record here. The rows say how large the prompts were."
        ),
        rows=[_error_row(each) for each in rows[:_ROWS]],
    )


def _error_row(each: Errors) -> dict[str, str | int]:
    return {
        "session": each.session,
        "error": each.name,
        "times": each.times,
        "first": moment(each.since),
        "prompt tokens": each.prompt,
        "came through": each.through,
    }

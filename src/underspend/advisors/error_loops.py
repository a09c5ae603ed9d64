"""Calls spent on trying the same thing again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, NamedTuple

from underspend.advisors.reading import Step, moment, steps_of
from underspend.core.advisor import Advisor, Claim, Confidence, Finding, Surroundings, Urgency
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


class ErrorLoops(Advisor):
    """API errors and what was asked for twice because of them; commands and tools that failed again and again."""

    __slots__ = ()
    name: ClassVar[str] = "error-loops"

    def advise(self, history: History, around: Surroundings) -> Iterable[Finding]:
        """At most one finding each for failing tools, replies repeated after errors, and API errors (no dollars)."""
        loops: list[_Loop] = []
        again: list[_Again] = []
        errors: list[tuple[Timeline, Mark, Step | None]] = []
        for timeline in history.timelines:
            row = steps_of(timeline, around)
            loops += _loops(timeline, row)
            again += _repeated(timeline, row)
            errors += _errors(timeline, row)
        if loops:
            yield _failing(loops, around.bills)
        if again:
            yield _cut(again, around.bills)
        if errors:
            yield _api_errors(errors)


def _loops(timeline: Timeline, row: list[Step]) -> list[_Loop]:
    """The loops of a timeline. A success of the same kind, an edit or a person's prompt ends a loop."""
    made: dict[str, tuple[Step, ToolUse]] = {}
    running: dict[str, _Loop] = {}
    ended: list[_Loop] = []
    for step in row:
        for event in step.before:
            ends = _ends(event, made, running)
            ended += [running.pop(key) for key in ends]
            if isinstance(event, Result) and event.is_error and event.use_id in made:
                maker, use = made[event.use_id]
                running.setdefault(_key(use), _Loop(timeline, _key(use))).add(maker)
        made |= {use.id: (step, use) for use in step.reply.tools}
    return [loop for loop in (*ended, *running.values()) if len(loop.tries) >= LEAST]


def _ends(event: Event, made: Mapping[str, tuple[Step, ToolUse]], running: Mapping[str, _Loop]) -> list[str]:
    """Which running loops an event ends."""
    if isinstance(event, Typed):
        return list(running) if event.by_person else []
    if not isinstance(event, Result) or event.is_error or event.use_id not in made:
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
            if isinstance(event, Mark) and event.kind is MarkKind.API_ERROR:
                seen += 1
                yield timeline, event, step
    marks = [event for event in timeline.events if isinstance(event, Mark) and event.kind is MarkKind.API_ERROR]
    for mark in marks[seen:]:
        yield timeline, mark, None


def _failing(loops: list[_Loop], bills: Mapping[str, Bill]) -> Finding:
    claims = _shares(loops, bills)
    by_message: dict[str, Money] = defaultdict(int)
    for claim in claims:
        by_message[claim.message_id] += claim.amount
    amount = sum(by_message.values())
    tries = sum(len(loop.tries) for loop in loops)
    loops.sort(key=lambda loop: (-len(loop.tries), loop.tries[0].reply.at, loop.tries[0].reply.message_id, loop.name))
    return Finding(
        id=f"{ErrorLoops.name}/failing-tools",
        urgency=Urgency.HABIT,
        title=f"{tries} tries at what had just failed, in {len(loops)} loops: {show(amount)}",
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
        claims=claims,
        rows=[_loop_row(loop, bills) for loop in loops[:_ROWS]],
    )


def _shares(loops: list[_Loop], bills: Mapping[str, Bill]) -> list[Claim]:
    """What the tries after each loop's first cost. A reply in several loops gives no more than itself."""
    failed: Counter[str] = Counter()
    replies: dict[str, Step] = {}
    for loop in loops:
        for step in loop.tries[1:]:
            failed[step.reply.message_id] += loop.failed[step.reply.message_id]
            replies[step.reply.message_id] = step
    made = []
    for message, step in sorted(replies.items()):
        made += _lanes(message, bills, min(failed[message], len(step.reply.tools)), len(step.reply.tools))
    return made


def _lanes(message: str, bills: Mapping[str, Bill], part: int, whole: int) -> list[Claim]:
    bill = bills.get(message)
    if bill is None:
        return []
    found = ((lane, bill.lane(lane) * part // whole) for lane in Lane)
    return [Claim(message_id=message, lane=lane, amount=amount) for lane, amount in found if amount]


def _loop_row(loop: _Loop, bills: Mapping[str, Bill]) -> dict[str, str | int]:
    amount = sum(claim.amount for claim in _shares([loop], bills))
    return {
        "session": loop.timeline.session,
        "agent": loop.timeline.agent or "",
        "when": moment(loop.tries[0].reply.at),
        "what failed": loop.name[:_LABEL],
        "times": sum(loop.failed.values()),
        "cost": show(amount),
    }


def _cut(again: list[_Again], bills: Mapping[str, Bill]) -> Finding:
    claims = [claim for each in again for claim in _lanes(each.cut.reply.message_id, bills, 1, 1)]
    amount = sum(claim.amount for claim in claims)
    again.sort(key=lambda each: (each.cut.reply.at, each.cut.reply.message_id))
    return Finding(
        id=f"{ErrorLoops.name}/cut-replies",
        urgency=Urgency.FYI,
        title=f"{len(again)} replies were cut off by an error and asked for again: {show(amount)}",
        amount=amount,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=(
            "The reply has no end in the record, an API error follows it, and the next reply answers the same prompt. "
            "The provider bills the prompt of a cut reply and what it had written."
        ),
        claims=claims,
        rows=[
            {
                "session": each.timeline.session,
                "agent": each.timeline.agent or "",
                "when": moment(each.cut.reply.at),
                "prompt tokens": each.cut.prompt.size,
                "cost": show(bills[each.cut.reply.message_id].total if each.cut.reply.message_id in bills else 0),
                "asked again in": each.step.reply.message_id,
            }
            for each in again[:_ROWS]
        ],
    )


def _api_errors(errors: list[tuple[Timeline, Mark, Step | None]]) -> Finding:
    groups: dict[tuple[str, str], list[tuple[Mark, Step | None]]] = defaultdict(list)
    for timeline, mark, step in errors:
        groups[mark.detail or "unknown", timeline.session].append((mark, step))
    kinds = Counter(mark.detail or "unknown" for _, mark, _ in errors)
    ordered = sorted(kinds.items(), key=lambda each: (-each[1], each[0]))
    return Finding(
        id=f"{ErrorLoops.name}/api-errors",
        urgency=Urgency.FYI,
        title=f"{len(errors)} API errors: {', '.join(f'{count} × {kind}' for kind, count in ordered)}",
        amount=0,
        confidence=Confidence.HIGH,
        evidence=Evidence.BILLED,
        why=(
            "The client tried again after each. A request that failed before its reply began costs nothing; one cut in "
            "mid-reply is billed but leaves no record here. The rows say how large the prompts were."
        ),
        rows=[
            _error_row(key, found) for key, found in sorted(groups.items(), key=lambda each: (_order(each[1]), each[0]))
        ][:_ROWS],
    )


def _order(found: list[tuple[Mark, Step | None]]) -> tuple[int, int]:
    return -len(found), min(mark.at for mark, _ in found)


def _error_row(key: tuple[str, str], found: list[tuple[Mark, Step | None]]) -> dict[str, str | int]:
    prompts = {step.reply.message_id: step.prompt.size for _, step in found if step is not None}
    return {
        "session": key[1],
        "error": key[0],
        "times": len(found),
        "first": moment(min(mark.at for mark, _ in found)),
        "prompt tokens": max(prompts.values(), default=0),
        "came through": len(prompts),
    }

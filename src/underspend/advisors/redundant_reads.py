"""Files read again although the same text was still in the context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

import msgspec

from underspend.advisors.reading import Carried, Stretch, first, moment, stretches_of
from underspend.core.advisor import Advisor, Claimed, Confidence, Finding, Seen, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import History, Timeline, ToolUse
from underspend.core.money import Money, show

READING = frozenset({"Read", "NotebookRead"})
EDITING = frozenset({"Edit", "MultiEdit", "Write", "NotebookEdit"})

_ID = "redundant-reads/same-range"

_STUB = 300
"""Newer clients answer a repeated read with a sentence ("unchanged since last read") of fewer characters."""


class Again(msgspec.Struct, array_like=True, gc=False):
    """A redundant read as evidence."""

    session: str
    agent: str
    at: int
    before: int
    file: str
    line: int
    lines: int
    tokens: int
    calls: int
    cost: Money
    use_id: str

    def order(self) -> tuple[object, ...]:
        """The dearest first."""
        return -self.cost, self.at, self.use_id


class RedundantReads(Advisor[list[Again]]):
    """Reads of the same range of a file, with the same content, unedited, while the first copy was in the context."""

    __slots__ = ()
    name: ClassVar[str] = "redundant-reads"
    facts: ClassVar[type] = list[Again]

    def look(self, history: History, around: Surroundings) -> Seen | None:
        """The second copies, each with what it cost from entry until it left."""
        found: list[Again] = []
        claims: list[Claimed] = []
        for timeline in history.timelines:
            for stretch in stretches_of(timeline, around):
                for earlier, second in _pairs(stretch):
                    own = _claims(stretch, second)
                    claims += own
                    found.append(_again(timeline, stretch, earlier, second, sum(amount for _, _, amount in own)))
        return Seen(found, {_ID: claims}) if found else None

    def sum_up(self, facts: Sequence[list[Again]], around: Surroundings) -> Iterable[Finding]:
        """At most one finding; the amount is what the second copies cost from entry until they left."""
        del around
        found = first(facts, Again.order)
        if found:
            yield _finding(found)


def _pairs(stretch: Stretch) -> Iterator[tuple[Carried, Carried]]:
    """Each redundant read after the copy it repeats."""
    ranges = [(use.target, use.first_line, use.line_count) for use in _uses(stretch) if use.name in READING]
    if len(set(ranges)) == len(ranges):
        return
    known: dict[tuple[str, int, int], Carried] = {}
    results = {carried.result.use_id: carried for carried in stretch.results}
    for use in _uses(stretch):
        if use.name in EDITING:
            for key in [key for key in known if key[0] == use.target]:
                del known[key]
            continue
        carried = results.get(use.id)
        if use.name not in READING or not use.target or carried is None:
            continue
        if carried.result.is_error or not carried.result.digest or carried.result.size <= _STUB:
            continue
        key = (use.target, use.first_line, use.line_count)
        first = known.get(key)
        if first is not None and first.result.digest == carried.result.digest and first.left > carried.entered:
            yield first, carried
        else:
            known[key] = carried


def _uses(stretch: Stretch) -> Iterator[ToolUse]:
    for step in stretch.steps:
        yield from step.reply.tools


def _claims(stretch: Stretch, second: Carried) -> list[Claimed]:
    return [(step.reply.message_id, part.lane, part.amount) for step, part in stretch.charges(second) if part.amount]


def _again(timeline: Timeline, stretch: Stretch, earlier: Carried, second: Carried, cost: Money) -> Again:
    use = second.use
    return Again(
        session=timeline.session,
        agent=timeline.agent or "",
        at=stretch.steps[second.entered].reply.at,
        before=earlier.result.at,
        file=use.target if use else "",
        line=use.first_line if use else 0,
        lines=use.line_count if use else 0,
        tokens=second.tokens,
        calls=second.left - second.entered,
        cost=cost,
        use_id=second.result.use_id,
    )


def _finding(found: Sequence[Again]) -> Finding:
    amount = sum(each.cost for each in found)
    tokens = sum(each.tokens for each in found)
    return Finding(
        id=_ID,
        urgency=Urgency.FYI,
        title=f"{len(found)} reads brought in what was already in the context: {show(amount)} for {tokens:,} tokens",
        amount=amount,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=(
            "Same file, same lines, same content, no edit in between, and the first copy had not left the context. "
            "Reads of other lines, after an edit or after a compaction are not counted. Tokens are estimated from the "
            "results' sizes, at most what the prompt grew by."
        ),
        fix=(
            "Add to CLAUDE.md: Do not read a file again that is unchanged and still in this conversation; "
            "quote from the earlier result."
        ),
        claimed=(_ID,),
        rows=[_row(each) for each in found],
    )


def _row(each: Again) -> dict[str, str | int]:
    return {
        "session": each.session,
        "agent": each.agent,
        "when": moment(each.at),
        "first read": moment(each.before),
        "file": each.file,
        "from line": each.line,
        "lines": each.lines,
        "tokens": each.tokens,
        "calls carried": each.calls,
        "cost": show(each.cost),
    }

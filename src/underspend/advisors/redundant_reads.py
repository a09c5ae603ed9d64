"""Files read again although the same text was still in the context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, NamedTuple

from underspend.advisors.reading import Carried, Step, Stretch, moment, stretches_of
from underspend.core.advisor import Advisor, Claim, Confidence, Finding, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import History, Timeline, ToolUse
from underspend.core.money import show

READING = frozenset({"Read", "NotebookRead"})
EDITING = frozenset({"Edit", "MultiEdit", "Write", "NotebookEdit"})

_STUB = 300
"""Newer clients answer a repeated read with a sentence ("unchanged since last read") of fewer characters."""


class _Again(NamedTuple):
    timeline: Timeline
    first: Carried
    second: Carried
    step: Step
    claims: list[Claim]


class RedundantReads(Advisor):
    """Reads of the same range of a file, with the same content, unedited, while the first copy was in the context."""

    __slots__ = ()
    name: ClassVar[str] = "redundant-reads"

    def advise(self, history: History, around: Surroundings) -> Iterable[Finding]:
        """At most one finding; the amount is what the second copies cost from entry until they left."""
        found = []
        for timeline in history.timelines:
            for stretch in stretches_of(timeline, around):
                for first, second in _pairs(stretch):
                    step = stretch.steps[second.entered]
                    found.append(_Again(timeline, first, second, step, _claims(stretch, second)))
        if found:
            yield _finding(found)


def _pairs(stretch: Stretch) -> Iterator[tuple[Carried, Carried]]:
    """Each redundant read after the copy it repeats."""
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


def _claims(stretch: Stretch, second: Carried) -> list[Claim]:
    return [
        Claim(message_id=step.reply.message_id, lane=part.lane, amount=part.amount)
        for step, part in stretch.charges(second)
        if part.amount
    ]


def _finding(found: list[_Again]) -> Finding:
    found.sort(key=lambda each: (-_amount(each), each.step.reply.at, each.second.result.use_id))
    amount = sum(map(_amount, found))
    tokens = sum(each.second.tokens for each in found)
    return Finding(
        id=f"{RedundantReads.name}/same-range",
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
        claims=tuple(claim for each in found for claim in each.claims),
        rows=[_row(each) for each in found],
    )


def _amount(each: _Again) -> int:
    return sum(claim.amount for claim in each.claims)


def _row(each: _Again) -> dict[str, str | int]:
    use = each.second.use
    return {
        "session": each.timeline.session,
        "agent": each.timeline.agent or "",
        "when": moment(each.step.reply.at),
        "first read": moment(each.first.result.at),
        "file": use.target if use else "",
        "from line": use.first_line if use else 0,
        "lines": use.line_count if use else 0,
        "tokens": each.second.tokens,
        "calls carried": each.second.left - each.second.entered,
        "cost": show(_amount(each)),
    }

"""Every rewrite of a prefix that had been written before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from underspend.advisors.cache_busts.causes import Cause, Reason, reason
from underspend.advisors.reading import Step, steps_of
from underspend.core.advisor import Claimed, RateSource, Surroundings
from underspend.core.history import History, MarkKind, Timeline
from underspend.core.money import Money
from underspend.core.usage import Lane

SMALLEST = 1_024
"""A loss below the smallest prefix that most models cache is a marker that moved, not a lost prefix."""


_SOONEST = 200_000
"""Microseconds: no reply follows another this fast, so both were copied from a session that is gone, at one stroke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """One reply that wrote again what its predecessor had left in the cache.

    `tokens` were written again, `kept` were still read. `ttl` was in force. `claims` say what the rewrite cost above
    reading; they are empty for a model without a price.
    """

    timeline: Timeline
    step: Step
    reason: Reason
    tokens: int
    kept: int
    gap: int
    ttl: int
    claims: tuple[Claimed, ...]

    @property
    def amount(self) -> Money:
        """What it cost above reading."""
        return sum(amount for _, _, amount in self.claims)


@dataclass(frozen=True, slots=True)
class Line:
    """A timeline, its replies, and the rewrites among them by the index of the reply that paid."""

    timeline: Timeline
    row: list[Step]
    rewrites: dict[int, Rewrite]


def lines(history: History, around: Surroundings) -> list[Line]:
    """Every timeline with its rewrites."""
    made = []
    for timeline in history.timelines:
        row = steps_of(timeline, around)
        found = {at: _rewrite(timeline, row, at, lost, around.rates) for at, lost in _losses(row)}
        made.append(Line(timeline, row, found))
    return made


def _losses(row: list[Step]) -> Iterator[tuple[int, int]]:
    """The replies that read less than they could have, by index, with the tokens written again."""
    warm: list[int] = []
    for index, step in enumerate(row):
        prompt = step.prompt
        if not prompt.size:
            continue
        expected = _expected(warm, step)
        lost = min(expected, prompt.size) - prompt.read
        if lost >= SMALLEST:
            yield index, lost
        if warm and warm[-1] < prompt.warm:
            warm.append(prompt.warm)
        else:
            warm = [level for level in warm if level < prompt.warm] + [prompt.warm]


def _expected(warm: list[int], step: Step) -> int:
    """How much of this prompt had been written before. `warm` holds what this context's replies left, ascending.

    A prompt shorter than what is warm went back to an earlier point: only what was written up to there is the same.
    """
    if not warm:
        return 0
    return _after_marks(warm, step) if step.marked else _common(warm, step.prompt.size)


def _after_marks(warm: list[int], step: Step) -> int:
    if step.mark(MarkKind.CLEAR):
        warm.clear()
        return 0
    if step.mark(MarkKind.COMPACTION):
        last = warm[-1]
        warm.clear()
        return last
    thinned = step.mark(MarkKind.MICROCOMPACTION)
    if thinned is not None:
        last = warm[-1] - max(thinned.tokens_before - thinned.tokens_after, 0)
        warm.clear()
        return max(last, 0)
    return _common(warm, step.prompt.size)


def _common(warm: list[int], size: int) -> int:
    while warm and warm[-1] > size:
        warm.pop()
    return warm[-1] if warm else 0


def _rewrite(timeline: Timeline, row: list[Step], at: int, lost: int, rates: RateSource) -> Rewrite:
    step, earlier = row[at], _earlier(row, at)
    ttl = rates.ttl_micros(earlier.reply)
    return Rewrite(
        timeline=timeline,
        step=step,
        reason=reason(earlier, step, ttl, timed=_timed(row, at)),
        tokens=lost,
        kept=step.prompt.read,
        gap=step.gap(earlier),
        ttl=ttl,
        claims=_claims(step, lost, rates),
    )


def _earlier(row: list[Step], at: int) -> Step:
    """The reply before that had a prompt; there is one, or nothing would have been lost."""
    return next(step for step in reversed(row[:at]) if step.prompt.size)


def _timed(row: list[Step], at: int) -> bool:
    """Whether the times of a reply and the one before it are their own."""
    around = row[max(at - 2, 0) : at + 1]
    return all(later.reply.at - earlier.reply.at >= _SOONEST for earlier, later in pairwise(around))


def _claims(step: Step, lost: int, rates: RateSource) -> tuple[Claimed, ...]:
    read = step.prompt.rate_in(Lane.CACHE_READ, step.reply, rates)
    if read is None:
        return ()
    start = step.prompt.read
    above = [(part.lane, part.tokens * (part.rate - read)) for part in step.prompt.between(start, start + lost)]
    return tuple((step.reply.message_id, lane, more) for lane, more in above if more > 0)


LEGITIMATE = frozenset({Cause.COMPACTION, Cause.MICROCOMPACTION})
"""What the client does on purpose, to send less from then on."""

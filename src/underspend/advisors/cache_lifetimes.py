"""What the other cache lifetime would have cost, on the gaps that really were between replies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from underspend.advisors.claimed import NO_BILL
from underspend.advisors.reading import replies_of
from underspend.core.advisor import Surroundings
from underspend.core.history import Answered, Timeline
from underspend.core.money import Money, scale
from underspend.core.usage import Lane

MINUTE = 60_000_000
SHORT, LONG = 5 * MINUTE, 60 * MINUTE


class Swing(NamedTuple):
    """What a reply would have cost less under the other lifetime (negative: more), and the lane it was billed in."""

    reply: Answered
    lane: Lane
    gain: Money


def with_short(timeline: Timeline, around: Surroundings) -> Iterator[Swing]:
    """Five minutes in place of an hour: cheaper writes, but what was read after a longer pause is written again.

    Everything read after such a pause is held to be lost, other sessions' part of the prefix too: the gain is no more
    than it would have been.
    """
    if not any(reply.metered.usage.cache_write_1h for reply in replies_of(timeline, around)):
        return
    before: Answered | None = None
    for reply in replies_of(timeline, around):
        bill, rate = around.bills.get(reply.message_id, NO_BILL), _Rates(reply, around)
        if reply.metered.usage.cache_write_1h:
            billed = bill.lane(Lane.CACHE_WRITE_1H)
            yield Swing(reply, Lane.CACHE_WRITE_1H, rate.moved(billed, Lane.CACHE_WRITE_1H, Lane.CACHE_WRITE_5M))
        if before is not None and reply.at - before.at > SHORT:
            yield Swing(reply, Lane.CACHE_READ, rate.moved(bill.lane(Lane.CACHE_READ), Lane.CACHE_READ, _SHORT_WRITE))
        before = reply


def with_long(timeline: Timeline, around: Surroundings) -> Iterator[Swing]:
    """An hour in place of five minutes: dearer writes, but what was written again after a pause within it is read.

    Written again is what the reply before had in its prompt and this one did not read, so far as it wrote.
    """
    if not any(reply.metered.usage.cache_write_5m for reply in replies_of(timeline, around)):
        return
    before: Answered | None = None
    for reply in replies_of(timeline, around):
        lost, before = (0 if before is None else _lost(before, reply)), reply
        written = reply.metered.usage.cache_write_5m
        if not written:
            continue
        rate, kept = _Rates(reply, around), 0
        billed = around.bills.get(reply.message_id, NO_BILL).lane(_SHORT_WRITE)
        if lost:
            kept = scale(billed, min(lost, written), written)
            yield Swing(reply, _SHORT_WRITE, rate.moved(kept, _SHORT_WRITE, Lane.CACHE_READ))
        yield Swing(reply, _SHORT_WRITE, rate.moved(billed - kept, _SHORT_WRITE, Lane.CACHE_WRITE_1H))


_SHORT_WRITE = Lane.CACHE_WRITE_5M


def _lost(earlier: Answered, later: Answered) -> int:
    if not SHORT < later.at - earlier.at <= LONG:
        return 0
    return max(min(earlier.metered.usage.prompt, later.metered.usage.prompt) - later.metered.usage.cache_read, 0)


class _Rates:
    """The rates of a reply's model, to move dollars from one lane to another."""

    def __init__(self, reply: Answered, around: Surroundings) -> None:
        self._reply, self._around = reply, around

    def moved(self, billed: Money, lane: Lane, to: Lane) -> Money:
        """What is saved of dollars billed in one lane if their tokens are billed in another; 0 without prices."""
        if not billed:
            return 0
        old, new = self._of(lane), self._of(to)
        return billed - scale(billed, new, old) if old and new is not None else 0

    def _of(self, lane: Lane) -> Money | None:
        model, prompt = self._reply.metered.model, self._reply.metered.usage.prompt
        return self._around.rates.rate(model, lane, self._reply.at, prompt) if model else None

"""What the other cache lifetime would have cost, on the gaps that really were between replies."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from underspend.advisors.reading import Account, accounts_of
from underspend.core.advisor import RateSource, Surroundings
from underspend.core.history import Answered, Timeline
from underspend.core.money import Money, scale
from underspend.core.usage import Lane

MINUTE = 60_000_000
SHORT, LONG = 5 * MINUTE, 60 * MINUTE


class Swing(msgspec.Struct, frozen=True, gc=False):
    """What a reply would have cost less under the other lifetime (negative: more), and the lane it was billed in."""

    reply: Answered
    lane: Lane
    gain: Money
    billed: Money


def with_short(timeline: Timeline, around: Surroundings) -> Iterator[Swing]:
    """Five minutes in place of an hour: cheaper writes, but what was read after a longer pause is written again.

    Everything read after such a pause is held to be lost, other sessions' part of the prefix too: the gain is no more
    than it would have been.
    """
    row = accounts_of(timeline, around)
    if not sum([usage.cache_write_1h for _, usage, _ in row]):
        return
    rates = around.rates
    before: int | None = None
    for account in row:
        reply, usage, bill = account
        if usage.cache_write_1h:
            billed = bill.lane(_LONG)
            yield Swing(reply, _LONG, _moved(account, billed, _LONG, _SHORT, rates), billed)
        if before is not None and reply.at - before > SHORT:
            billed = bill.lane(_READ)
            yield Swing(reply, _READ, _moved(account, billed, _READ, _SHORT, rates), billed)
        before = reply.at


def with_long(timeline: Timeline, around: Surroundings) -> Iterator[Swing]:
    """An hour in place of five minutes: dearer writes, but what was written again after a pause within it is read.

    Written again is what the reply before had in its prompt and this one did not read, so far as it wrote.
    """
    row = accounts_of(timeline, around)
    if not sum([usage.cache_write_5m for _, usage, _ in row]):
        return
    rates = around.rates
    before: Account | None = None
    for account in row:
        reply, usage, bill = account
        earlier, before = before, account
        written = usage.cache_write_5m
        if not written:
            continue
        billed, kept = bill.lane(_SHORT), 0
        if earlier is not None and SHORT < reply.at - earlier[0].at <= LONG:
            lost = max(min(earlier[1].prompt, usage.prompt) - usage.cache_read, 0)
            if lost:
                kept = scale(billed, min(lost, written), written)
                yield Swing(reply, _SHORT, _moved(account, kept, _SHORT, _READ, rates), billed)
        yield Swing(reply, _SHORT, _moved(account, billed - kept, _SHORT, _LONG, rates), billed)


_READ, _SHORT, _LONG = Lane.CACHE_READ, Lane.CACHE_WRITE_5M, Lane.CACHE_WRITE_1H


def _moved(account: Account, billed: Money, lane: Lane, to: Lane, rates: RateSource) -> Money:
    """What is saved of dollars billed in one lane if their tokens are billed in another; 0 without prices."""
    reply, usage, _ = account
    model = reply.metered.model
    if not billed or not model:
        return 0
    prompt = usage.prompt
    old, new = rates.rate(model, lane, reply.at, prompt), rates.rate(model, to, reply.at, prompt)
    return billed - scale(billed, new, old) if old and new is not None else 0

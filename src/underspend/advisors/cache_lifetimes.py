"""What the other cache lifetime would have cost, on the gaps that really were between replies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from underspend.advisors.reading import Account, accounts_of
from underspend.core.advisor import Surroundings
from underspend.core.history import Timeline
from underspend.core.money import Money, scale
from underspend.core.usage import PLACES, Lane

MINUTE = 60_000_000
SHORT, LONG = 5 * MINUTE, 60 * MINUTE


Swing = tuple[str, Lane, Money, Money]
"""A reply by its message id, the lane it was billed in, what the other lifetime would have cost less there (negative:
more), and what was billed."""


def with_short(timeline: Timeline, around: Surroundings) -> Iterator[Swing]:
    """Five minutes in place of an hour: cheaper writes, but what was read after a longer pause is written again.

    Everything read after such a pause is held to be lost, other sessions' part of the prefix too: the gain is no more
    than it would have been.
    """
    row = accounts_of(timeline, around)
    if not any(usage.cache_write_1h for _, usage, _ in row):
        return
    before: int | None = None
    for account in row:
        reply, usage, bill = account
        is_late = before is not None and reply.at - before > SHORT
        before = reply.at
        if not (usage.cache_write_1h or is_late):
            continue
        rates = _rates(account, around)
        if usage.cache_write_1h:
            billed = bill.by_lane[_LONG]
            yield reply.message_id, Lane.CACHE_WRITE_1H, _moved(billed, rates[_LONG], rates[_SHORT]), billed
        if is_late:
            billed = bill.by_lane[_READ]
            yield reply.message_id, Lane.CACHE_READ, _moved(billed, rates[_READ], rates[_SHORT]), billed


def with_long(timeline: Timeline, around: Surroundings) -> Iterator[Swing]:
    """An hour in place of five minutes: dearer writes, but what was written again after a pause within it is read.

    Written again is what the reply before had in its prompt and this one did not read, so far as it wrote.
    """
    row = accounts_of(timeline, around)
    if not any(usage.cache_write_5m for _, usage, _ in row):
        return
    before: Account | None = None
    for account in row:
        reply, usage, bill = account
        earlier, before = before, account
        written = usage.cache_write_5m
        if not written:
            continue
        rates = _rates(account, around)
        billed, kept = bill.by_lane[_SHORT], 0
        if earlier is not None and SHORT < reply.at - earlier[0].at <= LONG:
            lost = max(min(earlier[1].prompt, usage.prompt) - usage.cache_read, 0)
            if lost:
                kept = scale(billed, min(lost, written), written)
                yield reply.message_id, Lane.CACHE_WRITE_5M, _moved(kept, rates[_SHORT], rates[_READ]), billed
        gain = _moved(billed - kept, rates[_SHORT], rates[_LONG])
        yield reply.message_id, Lane.CACHE_WRITE_5M, gain, billed


_SHORT, _LONG, _READ = PLACES[Lane.CACHE_WRITE_5M], PLACES[Lane.CACHE_WRITE_1H], PLACES[Lane.CACHE_READ]
_UNKNOWN = (None,) * len(PLACES)


def _rates(account: Account, around: Surroundings) -> Sequence[Money | None]:
    """What a token of each lane costs at the list price."""
    reply, usage, _ = account
    model = reply.metered.model
    return around.rates.rates(model, reply.at, usage.prompt) if model else _UNKNOWN


def _moved(billed: Money, old: Money | None, new: Money | None) -> Money:
    """What is saved of dollars billed at one rate if their tokens are billed at another; 0 without prices."""
    if not (billed and old) or new is None:
        return 0
    tokens, rest = divmod(billed, old)
    return tokens * (old - new) if not rest else billed - scale(billed, new, old)

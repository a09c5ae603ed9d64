"""What is known of the shares of a plan's limits, beside the five-hour blocks that transcripts show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from underspend.audit.activity import Block
from underspend.audit.days import HOUR
from underspend.core.quota import Share, Window

_LENGTHS = {Window.FIVE_HOURS: 5 * HOUR, Window.SEVEN_DAYS: 7 * 24 * HOUR}


def by_block(blocks: Sequence[Block], shares: Iterable[Share]) -> Mapping[int, Share]:
    """The last reading in each block that one is known of, by the block's `since`.

    A block begins at the full hour of its first reply, the provider's window at that reply. So a reading is a block's
    if it was made in it and its window ends within an hour of the block's end. A window that began elsewhere, as with a
    chat on another machine, is no block's: its share is not guessed from.
    """
    found: dict[int, Share] = {}
    for share in sorted(shares, key=lambda each: each.at):
        if share.window is Window.FIVE_HOURS:
            for block in blocks:
                if block.since <= share.at < share.resets_at and abs(share.resets_at - block.until) <= HOUR:
                    found[block.since] = share
    return found


def newest(shares: Iterable[Share]) -> Mapping[Window, Share]:
    """The last reading of each kind of window; it may be of a window that is over."""
    return {share.window: share for share in sorted(shares, key=lambda each: each.at)}


def is_running(share: Share, now: int) -> bool:
    """Whether a reading's window is the one of now."""
    return share.resets_at - _LENGTHS[share.window] <= now < share.resets_at

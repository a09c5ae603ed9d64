"""Which block of a `ccusage blocks` export a reply is in.

A block begins at the full UTC hour of its first reply and holds what comes up to its end, five hours (or
`--session-length`) later, both ends counted. ccusage takes a reply's time from the line with its final tokens; ours is
its first line's. So a reply at a border may be in the block after the one that its own time says.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from underspend.audit.bills import Billed
from underspend.audit.ccusage_export import Figures
from underspend.audit.days import MINUTE

_LONGEST_REPLY = 10 * MINUTE


def rows_of_blocks(billed: Sequence[Billed], blocks: Sequence[Figures]) -> dict[str, str]:
    """The row of each reply, by its message id; replies in no block are left out."""
    ordered = sorted(blocks, key=lambda each: each.since)
    held: dict[int, list[Billed]] = defaultdict(list)
    for each in sorted(billed, key=lambda each: each.reply.at):
        place = _place(each.reply.at, ordered)
        if place is not None:
            held[place].append(each)
    for place in range(len(ordered) - 1):
        _move_over(place, ordered, held)
    return {each.reply.message_id: ordered[place].row for place, found in held.items() for each in found}


def _place(at: int, blocks: Sequence[Figures]) -> int | None:
    """The block that a time is in, else the one that begins before a reply begun then can have ended."""
    place = bisect_right(blocks, at, key=lambda each: each.since) - 1
    if place > 0 and at <= blocks[place - 1].until:
        return place - 1
    if place >= 0 and at <= blocks[place].until:
        return place
    after = place + 1
    return after if after < len(blocks) and blocks[after].since <= at + _LONGEST_REPLY else None


def _move_over(place: int, blocks: Sequence[Figures], held: dict[int, list[Billed]]) -> None:
    """Move the last replies of a block to the next one, if that makes the tokens those of the export."""
    here, after = blocks[place], blocks[place + 1]
    kept = list(held[place])
    wanted, moved = _tokens_of(here), []
    while kept and _tokens(kept) != wanted:
        at = kept[-1].reply.at + _LONGEST_REPLY
        if at < here.until or at < after.since:
            return
        moved.append(kept.pop())
    if moved and kept:
        held[place] = kept
        held[place + 1] = [*reversed(moved), *held[place + 1]]


def _tokens_of(block: Figures) -> tuple[int, ...]:
    return block.input, block.output, block.cache_write, block.cache_read


def _tokens(billed: Sequence[Billed]) -> tuple[int, ...]:
    usages = [each.usage for each in billed]
    return (
        sum(each.input for each in usages),
        sum(each.output for each in usages),
        sum(each.cache_write_5m + each.cache_write_1h for each in usages),
        sum(each.cache_read for each in usages),
    )

"""Which tool results may be made shorter now: what is not cached is free, what is cached must first have earned it.

A cut in a cached prompt makes the provider write again all that stands behind the last breakpoint before it: what calls
before had left in between is no longer looked for. How long the conversation goes on is unknown, so the rule is that of
renting or buying skis: cut once the reading of what could have gone has cost as much as the rewriting will. Whatever
comes, that is at most twice the cost of the best choice made in hindsight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate

from underspend.core.call import THINKING, Block, Call, Section
from underspend.core.context import Context
from underspend.core.edits import ContentEdit
from underspend.core.foresight import can_bear, new_from, written_at

_LIFETIMES = (300_000_000, 3_600_000_000)
"""Five minutes and an hour in microseconds. Records show prompts still read a fifth of a lifetime after its end."""

UNCHANGED = "[Unchanged: this is word for word the earlier result of the same read, which stands above.]"
"""What a result says that points to an earlier one. The one it points to is not to be edited."""

_SAYS_UNCHANGED = blake2b(UNCHANGED.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Cut:
    """An edit that might be made. `saves` is in tokens; for `calls` calls they have been read since they could go."""

    edit: ContentEdit
    saves: int
    calls: int = 0


def results(blocks: Sequence[Block], *, binds_thinking: bool) -> list[int]:
    """The indices of tool results that may be edited at all, in order.

    Not those that are edited already, nor one of which a later result says that it stands above unchanged. And where
    the model binds its thinking to all that stands before it, not those before a thinking block: the provider would
    refuse the call.
    """
    found: list[int] = []
    pointing: set[tuple[bytes | None, tuple[int, int]]] = set()
    for at in range(len(blocks) - 1, -1, -1):
        block = blocks[at]
        if block.section is not Section.MESSAGES or (binds_thinking and block.kind in THINKING):
            break
        if block.kind != "tool_result":
            continue
        if block.says == _SAYS_UNCHANGED:
            pointing.add((block.subject, block.span))
        elif not block.edited and (block.subject, block.span) not in pointing:
            found.append(at)
    found.reverse()
    return found


def free(cuts: Sequence[Cut], call: Call, ctx: Context) -> list[Cut]:
    """Those behind all that is warm: they will be written anew in any case."""
    if not cuts:
        return []
    starts = _starts(call.blocks)
    warm = _warm(starts, call, ctx)
    return [cut for cut in cuts if starts[cut.edit.at] >= warm]


def worth_it(cuts: Sequence[Cut], call: Call, ctx: Context) -> list[Cut]:
    """Those that are free, and the longest tail of the others whose rent has reached the price of the rewriting.

    `cuts` are in the order of their blocks. Nothing that the conversation could not bear to lose is spent.
    """
    if not cuts:
        return []
    starts = _starts(call.blocks)
    warm = _warm(starts, call, ctx)
    first = next((number for number, cut in enumerate(cuts) if starts[cut.edit.at] >= warm), len(cuts))
    return [*_bought(cuts[:first], starts, warm, call, ctx), *cuts[first:]]


def _bought(cuts: Sequence[Cut], starts: Sequence[int], warm: int, call: Call, ctx: Context) -> Sequence[Cut]:
    rates = ctx.rates(call)
    if rates is None:
        return ()
    dearer = written_at(call.blocks, rates) - rates.cache_read
    marked = [starts[at + 1] for at, block in enumerate(call.blocks) if block.breakpoint]
    rent, dropped, best, begin = 0, 0, -1, len(cuts)
    for number in range(len(cuts) - 1, -1, -1):
        cut = cuts[number]
        dropped += cut.saves
        rent += cut.saves * cut.calls * rates.cache_read
        still_found = max((size for size in marked if size <= starts[cut.edit.at]), default=0)
        price = max(0, warm - still_found - dropped) * dearer
        if rent - price > best and can_bear(price, ctx):
            best, begin = rent - price, number
    return cuts[begin:]


def _warm(starts: Sequence[int], call: Call, ctx: Context) -> int:
    """How many tokens to take for warm: all that calls before can have held, where a lifetime has only just ended."""
    idle = ctx.conversation.idle
    if idle is not None and any(life < idle <= life * 6 // 5 for life in _LIFETIMES):
        return starts[new_from(call.blocks)]
    return ctx.conversation.warm_tokens


def _starts(blocks: Sequence[Block]) -> list[int]:
    """The tokens before each block."""
    return list(accumulate((block.tokens for block in blocks), initial=0))

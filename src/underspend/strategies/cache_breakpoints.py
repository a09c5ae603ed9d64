"""Set cache breakpoints where a client sets none, and where its own would not find what is cached."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from underspend.core.call import Block, Call, Role, Section
from underspend.core.context import Context
from underspend.core.edits import Edit, SetBreakpoint
from underspend.core.foresight import Chance, new_from
from underspend.core.glance import Glance
from underspend.core.strategy import State, Strategy
from underspend.promptcache.cache import LIFETIMES
from underspend.promptcache.prompt import MOST_BREAKPOINTS, SHORT
from underspend.tokens.estimate import tokens_in

_LOOKBACK = 20
_EVEN = Chance(1, 2)
_PRIOR_CALLS = 2
_PRIOR_CONVERSATIONS = 4
_NEVER_MARKED = frozenset({"thinking", "redacted_thinking", "deferred_tool"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheBreakpoints(Strategy):
    """Adds breakpoints in free slots; those that a client set stay as they are.

    Where a client sets none: behind the tools, before and behind the last system block, and on the last block, once
    another call within five minutes is likely enough to pay for the write. Where one sets its own and more than 19
    blocks came in at once: on the block where the call before ended, which the lookback would miss.
    """

    name: ClassVar[str] = "cache_breakpoints"
    keeps_meaning: ClassVar[bool] = True
    default_state: ClassVar[State] = State.ON

    def may_act_on(self, glance: Glance) -> bool:
        """Where many blocks came in at once, or where nothing is marked and there is enough that could be cached."""
        call = glance.call
        if call.automatic or call.identity.role is Role.SIDE:
            return False
        if glance.has_breakpoints:
            return glance.came_in >= _LOOKBACK
        is_first = glance.begins or glance.calls == 0
        if is_first and len(glance.habits().lengths.get(call.identity.role, ())) < _PRIOR_CONVERSATIONS:
            return False
        # Blocks are counted at 3.5 bytes to a token, whatever the model makes of them: the body is no less than they.
        return tokens_in(call.size) >= glance.pricing.cache_minimum(call.model)

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """New breakpoints, in order, never more than four with the client's own."""
        if not call.blocks or call.automatic or call.endpoint != "messages" or call.identity.role is Role.SIDE:
            return
        minimum = ctx.pricing.cache_minimum(call.model)
        if not minimum:
            return  # only Claude reads breakpoints
        marks = [at for at, block in enumerate(call.blocks) if block.breakpoint]
        if marks:
            yield from _bridge(call.blocks, marks)
        elif _goes_on(call, ctx):
            for at in _places(call.blocks, minimum):
                yield SetBreakpoint(at, SHORT, why="the client caches nothing, and such calls go on within minutes")


def _bridge(blocks: Sequence[Block], marks: Sequence[int]) -> Iterator[Edit]:
    """A breakpoint where the call before ended, if the last one's lookback no longer reaches it."""
    last = marks[-1]
    before = _end_before(blocks)
    if before is None or last - before < _LOOKBACK or len(marks) == MOST_BREAKPOINTS:
        return
    if blocks[last].section is Section.MESSAGES and not any(before <= at < last for at in marks):
        ttl = blocks[last].breakpoint or SHORT
        yield SetBreakpoint(before, ttl, why=f"{last - before} blocks came in at once; the cache looks back over 20")


def _end_before(blocks: Sequence[Block]) -> int | None:
    """The last block of the call before that can carry a breakpoint: it ended where the model's last words begin."""
    at = new_from(blocks) - 1
    while at >= 0 and blocks[at].role == "assistant":
        at -= 1
    while at >= 0 and not _can_carry(blocks[at]):
        at -= 1
    return at if at >= 0 and blocks[at].section is Section.MESSAGES else None


def _goes_on(call: Call, ctx: Context) -> bool:
    """Whether another call of this conversation within five minutes is likely enough.

    A breakpoint costs (write − input) per token now and saves (input − read) per token then.
    """
    rates = ctx.rates(call)
    if rates is None:
        return False
    talk, role = ctx.conversation, call.identity.role
    if talk.marked and not talk.calls:
        return True  # nothing but that is known since a restart: what was written then is read
    lengths = ctx.habits.lengths.get(role, ())
    if not talk.calls and len(lengths) < _PRIOR_CONVERSATIONS:
        return False
    had_as_many = len(lengths) - bisect_left(lengths, talk.calls + 1)
    had_more = len(lengths) - bisect_left(lengths, talk.calls + 2)
    lasts = Chance(2 * had_more + _PRIOR_CONVERSATIONS, 2 * (had_as_many + _PRIOR_CONVERSATIONS))
    gaps = talk.gaps or ctx.habits.gaps.get(role, ())
    soon = _EVEN.seen(gaps, -1, LIFETIMES[SHORT], prior=_PRIOR_CALLS)
    both = Chance(lasts.hits * soon.hits, lasts.of * soon.of)
    return both.weighs_more(rates.input - rates.cache_read, rates.cache_write_5m - rates.input)


def _places(blocks: Sequence[Block], minimum: int) -> list[int]:
    """Where breakpoints go: at most four, each behind as many tokens as the model caches at least."""
    ends = {block.section: at for at, block in enumerate(blocks) if _can_carry(block)}
    wanted = set(ends.values())
    system = ends.get(Section.SYSTEM)
    if system and blocks[system - 1].section is Section.SYSTEM:
        wanted.add(system - 1)  # the last system block is where clients put what changes: the time, the folder
    found, size = [], 0
    for at, block in enumerate(blocks):
        size += 0 if block.kind == "deferred_tool" else block.tokens
        if at in wanted and _can_carry(block) and size >= max(minimum, 1):
            found.append(at)
    return found[-MOST_BREAKPOINTS:]


def _can_carry(block: Block) -> bool:
    """Thinking, empty text and deferred tools take no breakpoint."""
    return block.kind not in _NEVER_MARKED and block.tokens > 0

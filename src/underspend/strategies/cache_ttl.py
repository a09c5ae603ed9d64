"""Ask for five minutes or for an hour, call by call, by how long this user pauses."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

from underspend.core.call import THINKING, Block, Call, Role, Section
from underspend.core.context import Context
from underspend.core.edits import Edit, SetBreakpoint
from underspend.core.foresight import Chance, can_bear, new_from
from underspend.core.glance import Glance
from underspend.core.money import Money
from underspend.core.ports import Rates
from underspend.core.strategy import State, Strategy
from underspend.promptcache.cache import LIFETIMES
from underspend.promptcache.prompt import LONG, MOST_BREAKPOINTS, SHORT

_PRIOR = Chance(2, 100)
_PRIOR_OF_AGENTS = Chance(1, 300)
"""How many calls a pause of 5 to 60 minutes follows, before anything is known of the user: 2.0 of 100 in the main loop
(2.7 of 100 requests come more than five minutes after the one before, three in four of them within the hour); agents
wait for tools only."""

_MISSES = Chance(16, 1000)
"""How many calls write again what the rules hold to be warm; one that asks for an hour then pays more for all of it."""

_PRIOR_CALLS = 100
_PRIOR_CALLS_HERE = 50
_CALLS_A_PAUSE = 10
_LOOKBACK = 20
_LEAST_BLOCKS, _SPARE_BLOCKS = 16, 6
"""The next call is taken to add at least so many blocks, or so many more than the most that one of the last few did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheTtl(Strategy):
    """Retimes the breakpoints that are there; none is moved or taken away, and one may be added in a free slot.

    An hour's lifetime for a call's few new tokens keeps the whole prompt before them alive for an hour, so one such
    write every few calls insures all. A client that asks for an hour is given five minutes between those writes. One
    that asks for five minutes is insured once the conversation has paused for five to sixty minutes and could bear the
    worst that can come of it, or has had `pauses` such pauses and one in ten calls.
    """

    name: ClassVar[str] = "cache_ttl"
    keeps_meaning: ClassVar[bool] = True
    default_state: ClassVar[State] = State.ON
    pauses: int = 2

    def may_act_on(self, glance: Glance) -> bool:
        """Only where an hour is asked for, or lives on from before, or a pause of over five minutes was seen."""
        call = glance.call
        if not glance.has_breakpoints or call.automatic or call.identity.role is Role.SIDE:
            return False
        if glance.asks_for_an_hour or (glance.calls is None and not glance.begins):
            return True
        return glance.long_tokens > 0 or glance.longest_pause >= LIFETIMES[SHORT]

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """The lifetime that costs less on average, on the last breakpoint and on those that must not ask for less."""
        marks = [at for at, block in enumerate(call.blocks) if block.breakpoint]
        rates = ctx.rates(call)
        if not marks or rates is None or call.automatic or call.identity.role is Role.SIDE:
            return
        if not ctx.pricing.cache_minimum(call.model):
            return  # only Claude reads breakpoints
        asked = call.blocks[marks[-1]].breakpoint or SHORT
        wanted = self._lifetime(call, marks, ctx, rates)
        if _has_paused(ctx):
            yield from _looking_further(call.blocks, marks, wanted)
        elif wanted == SHORT:
            yield from _refreshing(call.blocks, marks, ctx.conversation.long_tokens)
        if wanted != asked:
            yield from _for_an_hour(marks) if wanted == LONG else _for_minutes(call, marks)

    def _lifetime(self, call: Call, marks: Sequence[int], ctx: Context, rates: Rates) -> str:
        warm, last = ctx.conversation.warm_tokens, marks[-1]
        upto = call.blocks[: last + 1]
        size = sum(block.tokens for block in upto)
        dearer = rates.cache_write_1h - rates.cache_write_5m
        premium, missing = max(0, size - warm) * dearer, warm * dearer
        exposed = size - _insured(upto, size, ctx.conversation.long_tokens, has_slot=len(marks) < MOST_BREAKPOINTS)
        loss = exposed * (rates.cache_write_5m - rates.cache_read)
        pays = _chance(call, ctx).weighs_more(loss, premium + missing * _MISSES.hits // _MISSES.of)
        if call.blocks[last].breakpoint != LONG:
            return LONG if pays and self._is_insurable(premium, missing, size * rates.cache_write_1h, ctx) else SHORT
        # Five minutes save the premium. If a pause comes now, all that is exposed may have to be written for an hour
        # again; what the last pause has just cost is not in the books yet. Agents do not pause.
        just_lost = max(0, _held_before(upto) - warm) * (rates.cache_write_5m - rates.cache_read)
        worst = exposed * (rates.cache_write_1h - rates.cache_read) - premium + just_lost
        by_then = (size - warm) * rates.cache_write_5m + warm * rates.cache_read + exposed * rates.cache_write_1h
        is_safe = call.identity.role is Role.SUBAGENT or can_bear(worst, ctx, by_then=by_then)
        return SHORT if is_safe and not pays else LONG

    def _is_insurable(self, premium: Money, missing: Money, rewriting: Money, ctx: Context) -> bool:
        """Whether the conversation pauses, and can bear the premium and, unless it does so all the time, a miss."""
        gaps = ctx.conversation.gaps
        seen = bisect_right(gaps, LIFETIMES[LONG]) - bisect_right(gaps, LIFETIMES[SHORT])
        if seen >= self.pauses and seen * _CALLS_A_PAUSE >= len(gaps):
            return can_bear(premium, ctx)
        return seen > 0 and can_bear(premium + missing, ctx, by_then=rewriting)


def _for_minutes(call: Call, marks: Sequence[int]) -> Iterable[Edit]:
    """Five minutes on the last breakpoint; on all of an agent's. A main loop's others may serve the next session."""
    if call.identity.role is Role.SUBAGENT:
        return [SetBreakpoint(at, SHORT, why="an agent does not pause") for at in marks]
    return [SetBreakpoint(marks[-1], SHORT, why="what was written for an hour just before keeps the rest alive")]


def _for_an_hour(marks: Sequence[int]) -> Iterable[Edit]:
    why = "pauses of over five minutes are usual here; so all of it outlives one"
    return [SetBreakpoint(at, LONG, why=why) for at in marks]


def _has_paused(ctx: Context) -> bool:
    idle = ctx.conversation.idle
    return idle is not None and LIFETIMES[SHORT] <= idle < LIFETIMES[LONG]


def _looking_further(blocks: Sequence[Block], marks: Sequence[int], ttl: str) -> Iterator[Edit]:
    """One more breakpoint where the lookback of the last one ends, which makes it twice as long."""
    at = marks[-1] - _LOOKBACK
    while at >= 0 and (blocks[at].kind in THINKING or not blocks[at].tokens):
        at -= 1
    if _has_room(blocks, marks, at):
        yield SetBreakpoint(at, ttl, why="after a pause what is still alive may stand further back")


def _refreshing(blocks: Sequence[Block], marks: Sequence[int], long_tokens: int) -> Iterator[Edit]:
    """One more breakpoint where the last write for an hour ended: being read keeps it alive."""
    ends = list(accumulate(block.tokens for block in blocks[: marks[-1]]))
    at = bisect_left(ends, long_tokens)
    if long_tokens and at < len(ends) and ends[at] == long_tokens and _has_room(blocks, marks, at):
        yield SetBreakpoint(at, SHORT, why="what was written for an hour is kept alive by being read")


def _has_room(blocks: Sequence[Block], marks: Sequence[int], at: int) -> bool:
    before = marks[-2] if len(marks) > 1 else -1
    return len(marks) < MOST_BREAKPOINTS and at > before and blocks[at].section is Section.MESSAGES


def _insured(upto: Sequence[Block], size: int, long_tokens: int, *, has_slot: bool) -> int:
    """The tokens that a pause leaves alive: what was written for an hour, if the next call's lookback reaches it."""
    rest, reach = size - long_tokens, (2 if has_slot else 1) * _LOOKBACK - _blocks_to_come(upto)
    for behind, block in enumerate(reversed(upto)):
        if rest <= 0:
            break
        if behind >= reach:
            return 0
        rest -= block.tokens
    return long_tokens


def _held_before(upto: Sequence[Block]) -> int:
    """The tokens that the call before had: all before the model's last words."""
    at = new_from(upto)
    while at > 0 and upto[at - 1].role == "assistant":
        at -= 1
    return sum(block.tokens for block in upto[:at])


def _blocks_to_come(upto: Sequence[Block]) -> int:
    """What the next call is taken to add: the most that one of the last few did, and a little more."""
    most = added = 0
    later = ""
    for block in upto[: -_LOOKBACK - 1 : -1]:
        if block.role == "user" and later == "assistant":
            added = 0
        added += 1
        most, later = max(most, added), block.role
    return max(most + _SPARE_BLOCKS, _LEAST_BLOCKS)


def _chance(call: Call, ctx: Context) -> Chance:
    """That a pause of 5 to 60 minutes follows this call: as for all users, for this one, in this conversation."""
    role = call.identity.role
    prior = _PRIOR_OF_AGENTS if role is Role.SUBAGENT else _PRIOR
    short, long = LIFETIMES[SHORT], LIFETIMES[LONG]
    habit = prior.seen(ctx.habits.gaps.get(role, ()), short, long, prior=_PRIOR_CALLS)
    return habit.seen(ctx.conversation.gaps, short, long, prior=_PRIOR_CALLS_HERE)

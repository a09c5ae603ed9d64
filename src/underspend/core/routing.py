"""What a change of model costs: integers only.

The unit is the slot: one session's main loop, or one of its sub-agents. A slot keeps its model; the provider's cache is
per model, so another one must write again what this one would have read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from underspend.core.call import THINKING, Block, Call, Section
from underspend.core.context import Context
from underspend.core.conversation import Conversation, Habits
from underspend.core.foresight import written_at
from underspend.core.money import Money
from underspend.core.ports import Rates

_MANY = 20
"""So many longer conversations must have been seen before their lengths say how long this one goes on."""

_ONE_IN = 4
"""The lower quartile: three in four conversations go on for longer."""


def is_in_tool_loop(blocks: Sequence[Block]) -> bool:
    """Whether the call brings back a tool's result: the model is in the midst of its turn."""
    last = next((block.message for block in reversed(blocks) if block.role != "system"), -1)
    for block in reversed(blocks):
        if block.role == "system":
            continue
        if block.message != last or block.section is not Section.MESSAGES:
            return False
        if block.kind.endswith("tool_result"):
            return True
    return False


def thinking_in(blocks: Sequence[Block]) -> list[int]:
    """Where thinking stands that would go along; what an edit has taken out does not."""
    return [at for at, block in enumerate(blocks) if block.kind in THINKING and not block.edited]


def can_lose_thinking(blocks: Sequence[Block], places: Sequence[int]) -> bool:
    """Whether every message has something left without these blocks: an empty one would be refused."""
    gone = {blocks[at].message for at in places}
    left = {block.message for block in blocks if block.message in gone and block.kind not in THINKING}
    return gone == left


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a slot is expected to do from here on, on the careful side: calls, this one included, and their tokens."""

    calls: int
    growth: int = 0
    output: int = 0

    @classmethod
    def of(cls, call: Call, talk: Conversation, habits: Habits) -> Outlook:
        """By conversations of this role that became longer; with few of them, as many more calls as there were."""
        role = call.identity.role
        lengths = habits.lengths.get(role, ())
        longer = bisect_right(lengths, talk.calls)
        more = talk.calls or 1
        if len(lengths) - longer >= _MANY:
            more = lengths[longer + (len(lengths) - longer) // _ONE_IN] - talk.calls
        return cls(max(1, more), _middle(habits.growth.get(role, ())), _middle(habits.outputs.get(call.kind, ())))


def _middle(values: Sequence[int]) -> int:
    return values[len(values) // 2] if values else 0


@dataclass(frozen=True, slots=True)
class Load:
    """A prompt on some model: its tokens there, how many of them its cache holds, whether it caches such a prompt."""

    prompt: int
    warm: int = 0
    caches: bool = True


def cost_of(call: Call, load: Load, rates: Rates, outlook: Outlook) -> Money:
    """The cost of the calls ahead on one model: each reads what those before it left and writes what came in."""
    write = written_at(call.blocks, rates) if load.caches else rates.input
    read = rates.cache_read if load.caches else rates.input
    first = load.warm * read + (load.prompt - load.warm) * write
    later = outlook.calls - 1
    grown = outlook.growth * later * (later - 1) // 2
    words = outlook.calls * outlook.output * (rates.output or 0)
    return first + (load.prompt * later + grown) * read + later * outlook.growth * write + words


_LIFETIMES = (300_000_000, 3_600_000_000)
"""Five minutes and an hour in microseconds. Records show prompts still read a fifth of a lifetime after its end."""


def may_be_warm(call: Call, ctx: Context, sees_all: bool) -> int:
    """How many tokens of the prompt the cache could hold at most, for all that is known.

    All of it where a conversation begins and others may have left the same prompt (unless one `sees_all` there is), and
    where a lifetime has only just ended.
    """
    idle = ctx.conversation.idle
    if idle is None:
        return ctx.conversation.warm_tokens if sees_all else call.prompt_tokens
    is_just_over = any(life < idle <= life * 6 // 5 for life in _LIFETIMES)
    return call.prompt_tokens if is_just_over else ctx.conversation.warm_tokens


def is_cached(call: Call) -> bool:
    """Whether the client has its prompt cached at all."""
    return call.automatic is not None or any(block.breakpoint for block in call.blocks)

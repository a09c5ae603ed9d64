"""A token budget for the history of plain chat clients: the newest turns whole, the oldest left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from underspend.core.call import THINKING, Block, Call, Role, Section
from underspend.core.context import Context
from underspend.core.edits import DropMessages, Edit
from underspend.core.foresight import written_at
from underspend.core.money import Money
from underspend.core.strategy import Strategy
from underspend.promptcache import facts


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a person's message starts. `opening` are the tokens of that message, `tokens` those of the whole turn."""

    first: int
    opening: int
    tokens: int
    replies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimHistory(Strategy):
    """Once the messages are over `budget_tokens`, whole turns go from the front until `keep_percent` of it is left.

    The cut moves only when a new turn passes the budget again, and depends on nothing but the messages: in between the
    prompt stays the same and cached. Claude Code's own conversations are left to its own compaction.
    """

    name: ClassVar[str] = "trim_history"
    budget_tokens: int = 40_000
    keep_percent: int = 50
    roles: tuple[Role, ...] = (Role.UNKNOWN,)

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """One `DropMessages` from the first message up to the turn that is kept as the oldest."""
        if call.identity.role not in self.roles or call.endpoint != "messages":
            return
        if call.prompt_tokens <= self.budget_tokens * self.keep_percent // 100:
            return
        messages = [block for block in call.blocks if block.section is Section.MESSAGES]
        if facts(call.model).binds_thinking and any(block.kind in THINKING for block in messages):
            return
        turns = _turns(messages)
        kept = self._oldest_kept(turns, call, ctx)
        if kept:
            last = turns[kept].first - 1
            yield DropMessages(turns[0].first, last, why=f"the history is over {self.budget_tokens} tokens")

    def _oldest_kept(self, turns: Sequence[_Turn], call: Call, ctx: Context) -> int:
        """The first turn that stays, by going through the conversation as it grew: 0 if nothing goes."""
        rates = ctx.rates(call)
        if rates is None:
            return 0
        dearer = written_at(call.blocks, rates) - rates.cache_read if _is_cached(call.blocks) else 0
        read = rates.cache_read if _is_cached(call.blocks) else rates.input
        oldest, size, replies = 0, 0, 0
        for number, turn in enumerate(turns):
            # Decided when the turn begins, so that what it grows to cannot change it.
            if size + turn.opening > self.budget_tokens:
                cut, left = oldest, size
                while cut < number and left + turn.opening > self.budget_tokens * self.keep_percent // 100:
                    left -= turns[cut].tokens
                    cut += 1
                if _pays(size - left, left, self.budget_tokens, size // max(replies, 1), read, dearer):
                    oldest, size = cut, left
            size += turn.tokens
            replies += turn.replies
        return oldest


def _pays(gone: int, left: int, budget: int, growth: int, read: Money, dearer: Money) -> bool:  # noqa: PLR0913, PLR0917  # the six numbers of one inequality
    """Whether not reading what is gone, until the budget is full again, is worth writing again what is left."""
    calls = max(0, budget - left) // max(growth, 1)
    return gone * read * calls >= left * dearer


def _turns(messages: Sequence[Block]) -> list[_Turn]:
    """The conversation turn by turn; a tool's result never begins one."""
    found: list[_Turn] = []
    last = -1
    for block in messages:
        is_new = block.message != last
        last = block.message
        if not found or (is_new and block.role == "user" and not block.kind.endswith("tool_result")):
            found.append(_Turn(block.message, block.tokens, block.tokens, 0))
            continue
        turn = found[-1]
        opening = turn.opening + (block.tokens if block.message == turn.first else 0)
        replies = turn.replies + (1 if is_new and block.role == "assistant" else 0)
        found[-1] = _Turn(turn.first, opening, turn.tokens + block.tokens, replies)
    return found


def _is_cached(blocks: Sequence[Block]) -> bool:
    return any(block.breakpoint for block in blocks)

"""Small policies that the findings try on the record: what a setting of the client would do, or a habit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from underspend.core.call import Block, Call, Role
from underspend.core.context import Context
from underspend.core.edits import DropMessages, Edit, SetBreakpoint, SetModel
from underspend.core.strategy import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLifetime(Strategy):
    """Every breakpoint of a role's calls asks for one lifetime, as the client's own setting makes them."""

    name: ClassVar[str] = "client_lifetime"
    role: Role
    ttl: str

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:  # noqa: ARG002  # a setting knows of nothing
        """The lifetime on each breakpoint that asks for another."""
        if call.identity.role is self.role:
            for at, block in enumerate(call.blocks):
                if block.breakpoint is not None:
                    yield SetBreakpoint(at, self.ttl, why=f"all prompts ask for {self.ttl}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsOn(Strategy):
    """Sub-agents on other models, from their first call on. `models` are pairs: asked for, sent to."""

    name: ClassVar[str] = "agents_on"
    models: tuple[tuple[str, str], ...]

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:  # noqa: ARG002  # a rule knows of nothing
        """The other model, where the call is a sub-agent's."""
        other = dict(self.models).get(call.model)
        if other is not None and call.identity.role is Role.SUBAGENT:
            yield SetModel(other, why=f"sub-agents on {other}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshStarts(Strategy):
    """Begin anew at a typed prompt once the context is larger than `above` tokens, as /clear does.

    The first message stays (the client sends it again); everything between it and the prompt is left out. A pure
    function of the prompt, so later calls leave out the same.
    """

    name: ClassVar[str] = "fresh_starts"
    above: int

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:  # noqa: ARG002  # a habit knows of nothing
        """What is left out, if anything."""
        if call.identity.role is Role.MAIN and call.prompt_tokens > self.above:
            first, start = _start(call.blocks, self.above)
            if start > first + 1:
                yield DropMessages(first + 1, start - 1, why=f"the context had passed {self.above:,} tokens")


def _start(blocks: Sequence[Block], above: int) -> tuple[int, int]:
    """The first message, and the one at which the context last began anew (the first where it never did)."""
    front, first, start, size = 0, -1, -1, 0
    for block in blocks:
        if block.message < 0:
            front += block.tokens
        elif first < 0 or block.message == first:
            first, start = block.message, block.message
            front += block.tokens
        else:
            if _is_typed(block) and block.message != start and front + size > above:
                start, size = block.message, 0
            size += block.tokens
    return first, start


def _is_typed(block: Block) -> bool:
    """Reminders have no size of their own: nothing in the record says what they were."""
    return block.kind == "text" and block.role == "user" and block.size > 0

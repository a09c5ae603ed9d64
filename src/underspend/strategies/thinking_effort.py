"""Asks for less effort where replies are short anyway, for whole conversations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from underspend.core.call import Call, Role
from underspend.core.context import Context
from underspend.core.edits import Edit, SetEffort
from underspend.core.strategy import Strategy

_ORDER = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingEffort(Strategy):
    """Kinds of calls of which nine in ten replies have at most `short_reply` tokens are asked for `effort`.

    It is part of the cache's key, so it is set where a conversation begins or its cache is cold, and kept from there.
    Effort is never raised, and never set where a call asks for none.
    """

    name: ClassVar[str] = "thinking_effort"
    effort: str = "low"
    short_reply: int = 400
    samples: int = 50
    roles: tuple[Role, ...] = (Role.SUBAGENT, Role.UNKNOWN)

    def __post_init__(self) -> None:
        """Refuse an effort that is none, when the configuration is read."""
        if self.effort not in _ORDER:
            raise ValueError(f"effort is {self.effort!r}; there are {', '.join(_ORDER)}")

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """A lower effort, or the one this conversation has already been given."""
        if call.identity.role not in self.roles or call.endpoint != "messages":
            return
        # A call that asks for none may be to a model that knows none and would refuse it.
        if call.effort not in _ORDER or _ORDER.index(call.effort) <= _ORDER.index(self.effort):
            return
        talk = ctx.conversation
        # A conversation that was forked from another, or is older than what is known of it, has begun all the same.
        has_begun = talk.calls > 0 or any(block.role == "assistant" for block in call.blocks)
        if has_begun and not talk.is_cold:
            if talk.effort == self.effort:
                yield SetEffort(self.effort, why="this conversation's cache is kept under that effort")
            return
        seen = ctx.habits.outputs.get(call.kind, ())
        if len(seen) >= self.samples and _nine_in_ten(seen) <= self.short_reply:
            why = f"nine in ten of {len(seen)} such replies have at most {_nine_in_ten(seen)} tokens"
            yield SetEffort(self.effort, why=why)


def _nine_in_ten(seen: Sequence[int]) -> int:
    return seen[(len(seen) * 9 + 9) // 10 - 1]

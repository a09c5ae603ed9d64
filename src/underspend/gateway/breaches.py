"""What a client gets of a call that a budget stopped: a whole reply in its own form, or an error it does not repeat."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from underspend.core.call import Role
from underspend.formats import breach
from underspend.gateway.asked import Asked
from underspend.gateway.entries import Attempt, End
from underspend.gateway.holding import Breach
from underspend.gateway.transport import Responder

OnBreach = Literal["auto", "message", "error"]
_TALKS = {"messages": "anthropic", "chat": "openai"}


class OverBudgetError(Exception):
    """An attempt that a budget does not let go; `end` is how the one before it ended."""

    def __init__(self, refused: Breach, attempt: Attempt, end: End) -> None:
        super().__init__(refused.words)
        self.refused, self.attempt, self.end = refused, attempt, end


@dataclass(slots=True)
class Answering:
    """Answers breaches as configured. With "auto" the main loop of Claude Code gets a message, all others an error."""

    how: OnBreach = "auto"
    _errors: frozenset[Role] = field(default=frozenset({Role.SIDE}), repr=False)

    async def answer(self, responder: Responder, asked: Asked, refused: Breach, now: int) -> int:
        """Answer the client. Returns the status."""
        wire = self._wire(asked, refused, now)
        await responder.start(wire.status, wire.headers)
        await responder.write(wire.body)
        await responder.end()
        return wire.status

    def _wire(self, asked: Asked, refused: Breach, now: int) -> breach.Wire:
        dialect: breach.Dialect = "anthropic" if asked.dialect == "anthropic" else "openai"
        if not self._is_message(asked):
            return breach.error(refused.words, dialect=dialect, budget=refused.budget)
        return breach.reply(
            refused.words,
            dialect=dialect,
            stream=asked.call.stream,
            model=asked.named,
            call=asked.call.id,
            budget=refused.budget,
            now=now,
            include_usage=asked.chat is not None and asked.chat.wants_usage,
        )

    def _is_message(self, asked: Asked) -> bool:
        """A client's side calls (its safety checks) never get a message: they would take it for an answer."""
        role = asked.call.identity.role
        if _TALKS.get(asked.endpoint) != asked.dialect or role in self._errors or self.how == "error":
            return False
        return self.how == "message" or role is Role.MAIN

"""Calls that are not sent because of a rate limit or a pause: what the client gets, and what the ledger says of it.

A paused session gets a whole reply, which ends an agent's loop where an error would be tried again. A program without
a session gets an error: a made-up reply would pass for an answer there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import get_args

from underspend.core.alerts import MINUTE
from underspend.core.edits import RefusalKind, Refuse
from underspend.core.plan import Decision, Plan
from underspend.core.rate_limits import Over
from underspend.core.runaway import Pause
from underspend.formats import breach
from underspend.formats.breach import Wire
from underspend.gateway import refusals
from underspend.gateway.asked import Asked
from underspend.gateway.transport import Responder

RATE_LIMITS = "rate_limits"
RUNAWAY = "runaway"
"""The names of what decides, where strategies' names stand."""

PAUSE_HEADER = b"x-underspend-pause"
_ANSWERED = frozenset({"messages", "chat"})
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A call that is not sent. `seconds` is when it may come again; `message` is the reply of ours it gets."""

    plan: Plan
    refusal: Refuse
    dialect: str
    seconds: int | None = None
    message: Wire | None = None

    @property
    def status(self) -> int:
        """The status of the answer."""
        return refusals.status_of(self.refusal.kind) if self.message is None else self.message.status

    async def answer(self, responder: Responder) -> None:
        """Tell the client."""
        if self.message is not None:
            await responder.start(self.message.status, self.message.headers)
            await responder.write(self.message.body)
            await responder.end()
        elif self.seconds is not None:
            await refusals.wait(responder, self.refusal.why, self.seconds, dialect=self.dialect)
        else:
            await refusals.refuse(responder, self.refusal, dialect=self.dialect)


def has_to_wait(asked: Asked, over: Over, others: tuple[Decision, ...] = ()) -> Stopped:
    """A call over a rate limit; `others` are the decisions about it besides."""
    refusal = Refuse(RefusalKind.RATE_LIMIT, over.words)
    return Stopped(
        plan=_plan(asked, RATE_LIMITS, refusal, others),
        refusal=refusal,
        dialect=asked.dialect,
        seconds=over.seconds,
    )


def is_paused(asked: Asked, pause: Pause) -> Stopped:
    """A call that falls under a pause."""
    refusal = Refuse(RefusalKind.PAUSE, told(pause, asked.call.time))
    return Stopped(
        plan=_plan(asked, RUNAWAY, refusal),
        refusal=refusal,
        dialect=asked.dialect,
        message=_message(asked, pause, refusal.why),
    )


def told(pause: Pause, now: int) -> str:
    """What a person reads of a pause: what happened, for how long it is, and how to go on."""
    minutes = max(1, -(-(pause.until - now) // MINUTE))
    left = f"{minutes:,} minutes are left" if minutes > 1 else "Less than a minute is left"
    return f"Paused by Underspend. {pause.words} {left}. To go on at once: underspend alerts resume {_name(pause)}"


def _name(pause: Pause) -> str:
    """What `alerts resume` takes; a name that a shell would read otherwise is left to be looked up."""
    if pause.session is None:
        return "--all"
    return pause.session if _PLAIN_NAME.fullmatch(pause.session) else ""


def _message(asked: Asked, pause: Pause, words: str) -> Wire | None:
    call, dialect = asked.call, asked.dialect
    if call.identity.session is None or asked.endpoint not in _ANSWERED or dialect not in get_args(breach.Dialect):
        return None
    return breach.reply(
        words,
        dialect="openai" if dialect == "openai" else "anthropic",
        stream=call.stream,
        model=asked.named or call.model,
        call=call.id,
        budget=pause.kind.value,
        now=call.time,
        include_usage=asked.chat is not None and asked.chat.wants_usage,
        header=PAUSE_HEADER,
    )


def _plan(asked: Asked, who: str, refusal: Refuse, others: tuple[Decision, ...] = ()) -> Plan:
    decision = Decision(strategy=who, edit=refusal, applied=True, before=None, after=None)
    return Plan(asked=asked.call, call=asked.call, decisions=(decision, *others), refusal=refusal)

"""What stands before and behind each call: rate limits, pauses, and watching for what runs away.

Calls of a subscription and the client's own side calls (its safety checks are among them) are counted and told, never
stopped. Counting tokens costs nothing and is left alone. Whatever fails here, the call goes through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from underspend.core.alerts import Alert, Tells, limited
from underspend.core.call import BillingMode, Call, Role
from underspend.core.edits import RefusalKind, Refuse, Warn
from underspend.core.plan import Decision
from underspend.core.ports import Clock
from underspend.core.rate_limits import AtLimit, Over, RateLimits
from underspend.core.reply import Outcome, Reply
from underspend.core.runaway import Runaway
from underspend.core.steps import step_after
from underspend.core.verdict import Verdict
from underspend.formats.anthropic_blocks import Anatomy
from underspend.formats.anthropic_request import MessagesRequest
from underspend.gateway.asked import Asked
from underspend.gateway.entries import Entry
from underspend.gateway.status import Status
from underspend.gateway.stopping import RATE_LIMITS, RUNAWAY, Stopped, has_to_wait, is_paused

_FREE = "count_tokens"
_CLIENTS_OWN = frozenset({Role.SIDE, Role.COMPACTION})


@dataclass(slots=True, kw_only=True)
class Guard:
    """Rate limits and what runs away, of one gateway; None for what is not set."""

    clock: Clock
    status: Status
    anatomy: Callable[[MessagesRequest], Anatomy]
    tells: Tells | None = None
    limits: RateLimits | None = None
    runaway: Runaway | None = None
    act_on_subscription: bool = False

    def stopped(self, asked: Asked) -> Stopped | None:
        """Why a call is not to be sent; None for one that goes on. What is only said of it is noted with it."""
        if asked.endpoint == _FREE:
            return None
        try:
            return self._paused(asked) or self._limited(asked)
        except Exception as error:  # noqa: BLE001  # fail open: a fault of ours stops no call
            self.status.fault("guard", f"{type(error).__name__}: {error}")
            return None

    def watch(self, asked: Asked, entry: Entry, reply: Reply) -> None:
        """Take in how a call ended, before its books are closed: what is seen stands there, and is told."""
        noted = list(asked.noted)
        if self.runaway is not None and asked.endpoint != _FREE:
            try:
                noted += [_decision(verdict) for verdict in self._seen(self.runaway, asked, entry, reply)]
            except Exception as error:  # noqa: BLE001  # fail open: the call is billed all the same
                self.status.fault("guard", f"{type(error).__name__}: {error}")
        if noted:
            entry.plan = replace(entry.plan, decisions=(*entry.plan.decisions, *noted))

    def _paused(self, asked: Asked) -> Stopped | None:
        runaway, call = self.runaway, asked.call
        if runaway is None or not runaway.has_pauses or self._is_observed(call):
            return None
        if call.identity.role in _CLIENTS_OWN:
            return None  # the conversation's own calls are paused; a summary of ours would replace its history
        pause = runaway.paused(call, call.time)
        if pause is not None and pause.turn and call.identity.turn is None and asked.message is not None:
            turn = self.anatomy(asked.message).turn  # not before: it takes time, and most calls are not paused
            pause = runaway.paused(replace(call, identity=replace(call.identity, turn=turn)), call.time)
        return is_paused(asked, pause) if pause is not None else None

    def _limited(self, asked: Asked) -> Stopped | None:
        if self.limits is None:
            return None
        call = asked.call
        over = self.limits.admit(call, call.time)
        if not over:
            return None
        for each in over:
            self._tell(limited(each, call.time))
        waits = [each for each in over if each.limit.at_limit is AtLimit.WAIT]
        if not waits or self._is_observed(call) or call.identity.role is Role.SIDE:
            asked.noted = tuple(_noted(each) for each in over)
            return None
        return has_to_wait(asked, waits[0], tuple(_noted(each) for each in over if each is not waits[0]))

    def _seen(self, runaway: Runaway, asked: Asked, entry: Entry, reply: Reply) -> Iterator[Verdict]:
        call = asked.call
        if runaway.looks_at_steps and reply.outcome is Outcome.OK and call.identity.role not in _CLIENTS_OWN:
            call = self._taken_apart(asked, entry)
        may_pause = not self._is_observed(call)
        step = step_after(call, reply)
        for verdict in runaway.watch(step, call.identity.role, known_at=self.clock.now(), may_pause=may_pause):
            self._tell(verdict.alert())
            yield verdict

    def _taken_apart(self, asked: Asked, entry: Entry) -> Call:
        """The call with its blocks; the ledger's writer then has not to take it apart once more."""
        call, message = asked.call, asked.message
        if call.blocks or message is None:
            return call
        made = self.anatomy(message)
        if entry.prompt is not None and entry.prompt.blocks is None:
            entry.prompt = replace(entry.prompt, blocks=made.blocks, turn=made.turn)
        turn = call.identity.turn or made.turn
        return replace(call, blocks=made.blocks, identity=replace(call.identity, turn=turn))

    def _is_observed(self, call: Call) -> bool:
        return call.identity.billing is BillingMode.OAUTH and not self.act_on_subscription

    def _tell(self, alert: Alert) -> None:
        if self.tells is not None:
            self.tells.tell(alert)


def _noted(over: Over) -> Decision:
    """A limit that a call was over and that did not stop it."""
    is_wait = over.limit.at_limit is AtLimit.WAIT
    edit = Refuse(RefusalKind.RATE_LIMIT, over.words) if is_wait else Warn(over.words)
    return Decision(strategy=RATE_LIMITS, edit=edit, applied=not is_wait, before=None, after=None)


def _decision(verdict: Verdict) -> Decision:
    return Decision(strategy=RUNAWAY, edit=Warn(verdict.words), applied=True, before=None, after=None)

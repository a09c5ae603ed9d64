"""The request pipeline. `Pipeline.handle` is the whole path of a call, on one screen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from underspend.core import engine
from underspend.core.call import BillingMode, Call
from underspend.core.context import Context
from underspend.core.conversation import Conversation, Habits
from underspend.core.engine import Step
from underspend.core.plan import Plan
from underspend.core.ports import Clock, Pricing
from underspend.core.reply import Outcome, Reply
from underspend.core.strategy import Strategy
from underspend.formats import anthropic_edits
from underspend.gateway import refusals
from underspend.gateway.acting import Acting
from underspend.gateway.asked import Asked
from underspend.gateway.asking import Asking, NobodyHereError
from underspend.gateway.attempts import Attempts, Passage
from underspend.gateway.books import Books
from underspend.gateway.clock import elapsed_us
from underspend.gateway.dearest import Dearest
from underspend.gateway.destinations import Destination, sent_to
from underspend.gateway.entries import Attempt, End, Entry
from underspend.gateway.holdout import NOBODY, Holdout
from underspend.gateway.routes import Route
from underspend.gateway.spending import Spending
from underspend.gateway.status import Status
from underspend.gateway.transport import BodyTooLargeError, ClientGoneError, Request, Responder
from underspend.pricing.forecast import Forecast


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """Everything a call passes, each part behind its port."""

    asking: Asking
    attempts: Attempts
    books: Books
    steps: Sequence[Step]
    forecast: Forecast
    spending: Spending
    status: Status
    clock: Clock
    body_limit: int
    act_on_subscription: bool = False
    acting: Acting | None = None
    holdout: Holdout = NOBODY
    needy: Sequence[Step] = field(init=False)
    learners: Sequence[Step] = field(init=False)

    def __post_init__(self) -> None:
        """Note which strategies want anything before or after a call: most do not, and this is asked for each call."""
        kinds = [(step, type(step.strategy)) for step in self.steps]
        self.needy = [step for step, kind in kinds if kind.needs is not Strategy.needs]
        self.learners = [step for step, kind in kinds if kind.learn is not Strategy.learn]

    async def handle(self, request: Request, responder: Responder, route: Route) -> None:
        """Serve one call: read it, decide, write the intent down, forward, meter, settle."""
        try:
            raw = await request.body(self.body_limit) if route.read else None
            began = elapsed_us()
            asked = self.asking.read(request, route, raw)
        except BodyTooLargeError:
            await refusals.too_large(responder, self.body_limit, dialect=route.dialect)
            return
        except NobodyHereError as error:
            await refusals.not_carried(responder, error.status, str(error), dialect=route.dialect)
            return
        plan = self._decide(asked)
        if plan.refusal is not None:
            status = await refusals.refuse(responder, plan.refusal, dialect=asked.dialect)
            self.books.refuse(plan, status, attempt=_attempt(asked, plan, asked.to))
            return
        plan, body, to = self._edit(plan, asked)
        passage = Passage(request, responder, route, asked, plan, self._open(asked, plan, to), body, to, began)
        end = End(outcome=Outcome.INTERRUPTED)
        try:
            await self.books.intend(passage.entry)
            passage.entry.overhead_us = elapsed_us() - began
            end = await self.attempts.forward(passage)
        except asyncio.CancelledError:
            end = _unseen_end(passage.entry, responder)
            raise
        except ClientGoneError:
            end = End(outcome=Outcome.ABORTED)
            raise
        finally:
            reply = self.books.settle(passage.entry, replace(end, duration_us=elapsed_us() - began))
            self._learn(passage.plan, reply)

    def _decide(self, asked: Asked) -> Plan:
        """Run the strategies. No other task runs between reading what is held and holding this call's worst case."""
        call = asked.call
        try:
            wanted = {key for step in self.needy for key in step.strategy.needs(call)}
            spent = {"day": self.spending.today(call.time)} if "day" in wanted else {}
            pricing = self._pricing(asked)
            plan = engine.run(
                call,
                self._steps_for(call),
                Context(
                    now=call.time,
                    pricing=pricing,
                    spent=spent,
                    held=self.spending.held,
                    conversation=self._conversation(asked),
                    habits=self.acting.habits if self.acting is not None else Habits(),
                    slot=self.acting.slot(call) if self.acting is not None and asked.talks else None,
                ),
            )
            if wanted and plan.refusal is None:
                self.spending.hold(call.id, pricing.worst_case(plan.call))
        except Exception as error:  # noqa: BLE001  # fail open: only an explicit refusal stops a call
            self.status.fault("engine", f"{type(error).__name__}: {error}")
            return Plan(asked=call, call=call)
        for fault in plan.faults:
            self.status.fault(fault.component, fault.message)
        return plan

    def _pricing(self, asked: Asked) -> Pricing:
        """What calls cost; where others may be asked in place of whom was planned, at worst the dearest of them."""
        destinations = self.attempts.destinations
        if destinations.plain:
            return self.forecast

        def others(call: Call) -> list[Call]:
            to = destinations.planned(asked.call, call, asked.to)
            return [sent_to(call, each) for each in self.attempts.candidates(asked, call, to)[1:]]

        return Dearest(self.forecast, others)

    def _steps_for(self, call: Call) -> Sequence[Step]:
        """Calls on a subscription are observed only, unless the user said otherwise; so are sessions held out."""
        if call.identity.billing is BillingMode.OAUTH and not self.act_on_subscription:
            return engine.observing(self.steps)
        held_out = self.holdout.holds(call.identity.session)
        return engine.observing(self.steps, limits=False) if held_out else self.steps

    def _conversation(self, asked: Asked) -> Conversation:
        """What is known of a call's conversation; counting tokens is no part of one, nor is what we cannot read."""
        if self.acting is None or not asked.talks:
            return Conversation()
        return self.acting.conversation(asked.call)

    def _edit(self, plan: Plan, asked: Asked) -> tuple[Plan, bytes | None, Destination]:
        """The plan, the bytes it is made of (the client's own, but for the pieces a strategy changed), and where to."""
        if asked.body is None or not plan.edited:
            return plan, asked.body, asked.to
        try:
            to = self.attempts.destinations.planned(asked.call, plan.call, asked.to)
            if asked.message is None:
                return plan, asked.body, to  # another dialect: the model is all that is set, when it is carried
            made = anthropic_edits.edited(asked.body, [each.edit for each in plan.decisions if each.applied])
            return (plan if self.acting is None else self.acting.measured(plan, made)), made, to
        except Exception as error:  # noqa: BLE001  # fail open: what cannot be edited is sent as it came
            self.status.fault("edit", f"{type(error).__name__}: {error}")
            return Plan(asked=plan.asked, call=plan.asked), asked.body, asked.to

    def _open(self, asked: Asked, plan: Plan, to: Destination) -> Entry:
        if self.acting is not None and asked.talks:
            self._remember(self.acting, plan)
        held_out = self.holdout.holds(plan.asked.identity.session)
        attempt = _attempt(asked, plan, to)
        return self.books.open(plan, prompt=asked.parts, body=asked.raw, held_out=held_out, attempt=attempt)

    def _remember(self, acting: Acting, plan: Plan) -> None:
        try:
            acting.sent(plan)
        except Exception as error:  # noqa: BLE001  # fail open: the next call is then decided as if it were the first
            self.status.fault("acting", f"{type(error).__name__}: {error}")

    def _learn(self, plan: Plan, reply: Reply) -> None:
        for step in self.learners:
            try:
                step.strategy.learn(plan.call, reply, Context(now=self.clock.now(), pricing=self.forecast))
            except Exception as error:  # noqa: BLE001  # fail open
                self.status.fault(f"strategy {step.strategy.name}", f"{type(error).__name__}: {error}")


def _attempt(asked: Asked, plan: Plan, to: Destination) -> Attempt | None:
    """What sets a call apart in the ledger; None for one that goes as ever."""
    if to.home and asked.chat is None:
        return None
    return Attempt(
        upstream=to.host,
        provider=plan.call.provider,
        named=asked.named,
        endpoint=asked.endpoint,
        ours=to.key is not None,
    )


def _unseen_end(entry: Entry, responder: Responder) -> End:
    """The end of a call whose client went away, or whose gateway was told to stop, before the reply was whole."""
    outcome = Outcome.ABORTED if responder.client_gone else Outcome.INTERRUPTED
    if entry.tap is None:
        return End(outcome=outcome)
    return End(
        outcome=outcome,
        status=entry.tap.status,
        metered=entry.tap.finish(),
        reply_bytes=entry.tap.size,
        request_id=entry.tap.request_id,
        reply_body=entry.tap.body,
    )

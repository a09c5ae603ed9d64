"""The request pipeline. `Pipeline.handle` is the whole path of a call, on one screen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from underspend.core import engine
from underspend.core.call import Call
from underspend.core.context import Context
from underspend.core.conversation import Conversation, Habits
from underspend.core.engine import Step
from underspend.core.plan import Plan
from underspend.core.ports import Clock, Pricing
from underspend.core.reply import Outcome, Reply
from underspend.core.strategy import State, Strategy
from underspend.gateway import refusals, telling
from underspend.gateway.acting import Acting
from underspend.gateway.answers import Answers, Waiting
from underspend.gateway.asked import Asked
from underspend.gateway.asking import Asking, NobodyHereError
from underspend.gateway.attempts import Attempts
from underspend.gateway.books import Books
from underspend.gateway.breaches import OverBudgetError
from underspend.gateway.clock import elapsed_us
from underspend.gateway.dearest import Dearest
from underspend.gateway.destinations import Destination, is_auto, sent_to
from underspend.gateway.entries import Attempt, End, Entry
from underspend.gateway.gating import Gate
from underspend.gateway.guard import Guard
from underspend.gateway.holding import Admitted, Breach
from underspend.gateway.holdout import NOBODY, Holdout
from underspend.gateway.observing import Observing
from underspend.gateway.passage import Passage, Posed
from underspend.gateway.plan_limits import PlanLimits
from underspend.gateway.routes import Route, target_of
from underspend.gateway.routing import Deciding, Look, Router
from underspend.gateway.splicing import spliced
from underspend.gateway.states import States
from underspend.gateway.status import Status
from underspend.gateway.transport import BodyTooLargeError, ClientGoneError, Request, Responder
from underspend.gateway.wishes import is_dry
from underspend.pricing.forecast import Forecast

_SPEAKING = frozenset({"messages", "chat", "responses"})


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """Everything a call passes, each part behind its port."""

    asking: Asking
    attempts: Attempts
    books: Books
    steps: Sequence[Step]
    forecast: Forecast
    status: Status
    clock: Clock
    body_limit: int
    act_on_subscription: bool = False
    acting: Acting | None = None
    holdout: Holdout = NOBODY
    router: Router | None = None
    gate: Gate | None = None
    states: States | None = None
    cases: States = field(init=False)
    answers: Answers | None = None
    guard: Guard | None = None
    limits: PlanLimits | None = None
    learners: Sequence[Step] = field(init=False)
    observing: Observing = field(init=False)

    def __post_init__(self) -> None:
        """Note which strategies want anything after a call: most do not, and this is asked for each call."""
        routed = self.router is not None
        self.cases = self.states or States(
            self.steps, holdout=self.holdout, on_plans=self.act_on_subscription, routed=routed
        )
        self.observing = Observing(
            states=self.cases, acting=self.acting, status=self.status, context=self._context_after
        )
        if routed:
            self.steps = tuple(step for step in self.steps if step.strategy.name != Deciding.name)
        kinds = [(step, type(step.strategy)) for step in self.steps]
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
        if self.router is not None and asked.endpoint in _SPEAKING and is_dry(request.fields):
            await self._dry(self.router, asked, responder)
            return
        if self.guard is not None and await self._is_stopped(self.guard, asked, responder):
            return
        await self._serve(request, responder, route, asked, began)

    async def _serve(self, request: Request, responder: Responder, route: Route, asked: Asked, began: int) -> None:
        """Decide about a call that was read; then it is answered here, refused, or sent."""
        look = self._look(asked)
        routed = decided = self._decide(asked, look)
        if self.gate is not None and decided.refusal is None:
            decided = await self.gate.downgraded(asked, decided)
        plan, body, to = self._edit(decided, asked)
        waiting: Waiting | bool = False
        if self.answers is not None:
            # Before anything is reserved: what is answered here costs nothing, whatever the budgets say.
            waiting = await self.answers.look(_posed(request, route, asked, plan, body, to, began), responder)
            if waiting is True:
                return
        if decided.refusal is not None:
            status = await refusals.refuse(responder, decided.refusal, dialect=asked.dialect)
            self.books.refuse(decided, status, attempt=_attempt(asked, decided, asked.to))
            return
        if is_auto(plan.call.model):
            problem = "no model could be chosen for this call; see `underspend status`"
            await refusals.not_carried(responder, 400, problem, dialect=asked.dialect)
            return
        admitted = Admitted(plan)
        if self.gate is not None:
            held = await self.gate.admitted(asked, plan, to, self._pricing(asked, look))
            if isinstance(held, Breach):
                await self.gate.refuse(asked, held, responder, _attempt(asked, plan, to))
                return
            admitted = held
        with self.gate.released_on_failure(plan.call) if self.gate is not None else nullcontext():
            entry = self._open(asked, admitted.plan, to, look, routed)
        passage = Passage(request, responder, route, asked, admitted.plan, entry, body, to, began, look=look)
        await self._sent(passage, waiting, admitted)

    async def _sent(self, passage: Passage, waiting: Waiting | bool, admitted: Admitted) -> None:
        """Send a call; its reply is kept for others, and ended at a cap, where that was asked for."""
        if isinstance(waiting, Waiting):
            passage.responder = waiting.recorder
        if self.gate is not None:
            self.gate.cap(passage, admitted.ends_at)
        reply = await self._forward(passage)
        if self.answers is not None and isinstance(waiting, Waiting):
            await self.answers.keep(waiting, passage, reply)

    async def _forward(self, passage: Passage) -> Reply:
        end = End(outcome=Outcome.INTERRUPTED)
        try:
            await self.books.intend(passage.entry)
            passage.entry.overhead_us = elapsed_us() - passage.began
            end = await self._attempted(passage)
        except asyncio.CancelledError:
            end = _unseen_end(passage.entry, passage.responder)
            raise
        except ClientGoneError:
            end = End(outcome=Outcome.ABORTED)
            raise
        finally:
            await _let_go()
            self._watch(passage, end)
            end = replace(end, duration_us=elapsed_us() - passage.began)
            seen = partial(self.guard.watch, passage.asked) if self.guard is not None else None
            reply = self.books.settle(passage.entry, end, seen)
            if self.limits is not None and passage.asked.login and passage.entry.tap is not None:
                self.limits.see(passage.entry.tap.headers)
            self._learn(passage, reply)
        return reply

    async def _attempted(self, passage: Passage) -> End:
        try:
            return await self.attempts.forward(passage)
        except OverBudgetError as error:
            if self.gate is None:
                raise
            return await self.gate.stopped(passage, error)

    async def _is_stopped(self, guard: Guard, asked: Asked, responder: Responder) -> bool:
        """Answer and write down a call that a rate limit or a pause stops."""
        stopped = guard.stopped(asked)
        if stopped is None:
            return False
        self.books.refuse(stopped.plan, stopped.status, attempt=_attempt(asked, stopped.plan, asked.to))
        await stopped.answer(responder)
        return True

    def _look(self, asked: Asked, *, noted: bool = True) -> Look | None:
        """What the router makes of a call; None where it has nothing to do with it."""
        if self.router is None or self.acting is None or not asked.followed:
            return None
        try:
            case = self.cases.of(asked.call.identity)
            may_act = case.router is State.ON and not case.is_left_alone
            return self.router.look(asked, self.acting, may_act=may_act, noted=noted)
        except Exception as error:  # noqa: BLE001  # fail open: a call is then sent as it came, or to a plain choice
            self.status.fault("router", f"{type(error).__name__}: {error}")
            return self.router.plain(asked) if asked.call.preference else None

    def _decide(self, asked: Asked, look: Look | None) -> Plan:
        """Run the strategies."""
        call = asked.call if look is None else look.call
        try:
            context = self._context(asked, look, self._pricing(asked, look))
            plan = engine.run(call, self._steps_for(asked, look), context)
        except Exception as error:  # noqa: BLE001  # fail open: only an explicit refusal stops a call
            self.status.fault("engine", f"{type(error).__name__}: {error}")
            return Plan(asked=call, call=call)
        for fault in plan.faults:
            self.status.fault(fault.component, fault.message)
        return plan

    def _context(self, asked: Asked, look: Look | None, pricing: Pricing, *, noted: bool = True) -> Context:
        """What strategies may know; of the conversation nothing where nobody follows it."""
        call, acting = asked.call, self.acting if asked.followed else None
        return self._known(call, acting, look, pricing, noted=noted)

    def _context_after(self, asked: Asked, call: Call, noted: bool) -> Context:  # as Observing calls it
        acting = self.acting if asked.talks else None
        return self._known(call, acting, None, self.forecast, noted=noted)

    def _known(  # what a context is made of
        self,
        call: Call,
        acting: Acting | None,
        look: Look | None,
        pricing: Pricing,
        *,
        noted: bool,
    ) -> Context:
        return Context(
            now=call.time,
            pricing=pricing,
            conversation=acting.conversation(call, noted=noted) if acting is not None else Conversation(),
            habits=acting.habits if acting is not None else Habits(),
            slot=look.slot if look is not None else acting.slot(call) if acting is not None else None,
            beside=look.beside if look is not None else None,
            knowing=self.router.learning.knowledge if self.router is not None and look is not None else None,
            unfit=look.unfit if look is not None else {},
        )

    def _pricing(self, asked: Asked, look: Look | None) -> Pricing:
        """What calls cost; where others may be asked in place of whom was planned, at worst the dearest of them."""
        destinations = self.attempts.destinations
        if destinations.plain and look is None:
            return self.forecast

        def others(call: Call) -> list[Call]:
            back = [home for home in (self.attempts.home_of(look, call),) if home is not None]
            if destinations.plain:
                return back
            to = destinations.planned(asked.call, call, asked.to)
            return [*back, *(sent_to(call, each) for each in self.attempts.candidates(asked, call, to)[1:])]

        return Dearest(self.forecast, others)

    def _steps_for(self, asked: Asked, look: Look | None) -> Sequence[Step]:
        """What runs before a call is sent; the router decides where it looks, whatever the others may do."""
        case = self.cases.of(asked.call.identity)
        if look is not None:
            return (*case.before[: case.place], Step(Deciding(look=look), State.ON), *case.before[case.place :])
        # At a glance nothing could be done to a turn that was not taken apart.
        is_glanced_at = self.asking.following is not None and asked.talks and not asked.followed
        return case.limits if is_glanced_at else case.before

    def _edit(self, plan: Plan, asked: Asked) -> tuple[Plan, bytes | None, Destination]:
        """The plan, the bytes it is made of (the client's own, but for the pieces a strategy changed), and where to."""
        if asked.body is None or not plan.edited:
            return plan, asked.body, asked.to
        try:
            to = self.attempts.destinations.planned(asked.call, plan.call, asked.to)
            if asked.message is None:
                return plan, asked.body, to  # another dialect: the model is all that is set, when it is carried
            done = spliced(asked.written, plan)
            if done.dropped:
                for strategy, why in done.dropped:
                    self.status.fault("edit", f"{strategy}: dropped: {why}")
                plan, to = done.plan, self.attempts.destinations.planned(asked.call, done.plan.call, asked.to)
            return (plan if self.acting is None else self.acting.measured(plan, done.body)), done.body, to
        except Exception as error:  # noqa: BLE001  # fail open: what cannot be edited is sent as it came
            self.status.fault("edit", f"{type(error).__name__}: {error}")
            return Plan(asked=plan.asked, call=plan.asked), asked.body, asked.to

    def _open(self, asked: Asked, plan: Plan, to: Destination, look: Look | None, routed: Plan) -> Entry:
        """The call's entry. The conversation is remembered as it was `routed`: a budget's model is for a turn alone."""
        if self.acting is not None and asked.followed:
            self._remember(self.acting, routed, look)
        held_out = self.holdout.holds(plan.asked.identity.session)
        attempt = _attempt(asked, plan, to)
        entry = self.books.open(plan, prompt=asked.parts, body=asked.raw, held_out=held_out, attempt=attempt)
        entry.followed, entry.talks = asked.followed, asked.talks
        entry.without = self.attempts.home_of(look, plan.asked) if plan.asked.preference else None
        return entry

    def _remember(self, acting: Acting, plan: Plan, look: Look | None) -> None:
        try:
            slot = acting.sent(plan)
            if self.router is not None and look is not None:
                self.router.sent(look, plan, slot)
        except Exception as error:  # noqa: BLE001  # fail open: the next call is then decided as if it were the first
            self.status.fault("acting", f"{type(error).__name__}: {error}")

    async def _dry(self, router: Router, asked: Asked, responder: Responder) -> None:
        """Say what would be done: nothing is sent, billed or remembered."""
        look = self._look(asked, noted=False)
        call = asked.call if look is None else look.call
        context = self._context(asked, look, self._pricing(asked, look), noted=False)
        await telling.respond(responder, telling.dry(*router.thought(asked, look, call, context)))

    def _watch(self, passage: Passage, end: End) -> None:
        """Let strategies and the router say what they would have done, now that the reply is out."""
        self.observing.look(passage, end)
        if self.router is None or passage.look is not None or end.outcome is not Outcome.OK:
            return
        if self.cases.of(passage.asked.call.identity).router is State.OFF:
            return
        try:
            seen = self.router.watched(passage.asked, passage.plan, self.forecast)
            if seen is not None:
                entry = passage.entry
                entry.plan = replace(entry.plan, decisions=(*entry.plan.decisions, seen))
        except Exception as error:  # noqa: BLE001  # fail open: nothing hangs on it
            self.status.fault("router", f"{type(error).__name__}: {error}")

    def _learn(self, passage: Passage, reply: Reply) -> None:
        try:
            if self.router is not None and self.acting is not None:
                now = self.clock.now()
                if passage.look is not None:
                    self.router.ended(passage.look, self.acting, reply, passage.entry.plan.call, now)
                else:
                    self.router.watched_end(passage.asked, reply, now)
        except Exception as error:  # noqa: BLE001  # fail open: nothing is learned of this call
            self.status.fault("router", f"{type(error).__name__}: {error}")
        for step in self.learners:
            try:
                step.strategy.learn(passage.plan.call, reply, Context(now=self.clock.now(), pricing=self.forecast))
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


def _posed(  # noqa: PLR0913, PLR0917  # what a call is, as it would be sent
    request: Request, route: Route, asked: Asked, plan: Plan, body: bytes | None, to: Destination, began: int
) -> Posed:
    attempt = _attempt(asked, plan, to)
    target = target_of(route, request.query)
    return Posed(request=request, asked=asked, plan=plan, body=body, to=to, target=target, began=began, attempt=attempt)


async def _let_go() -> None:
    """Give the loop a turn: what was written to the client leaves only then, and it need not wait for the books."""
    with suppress(asyncio.CancelledError):  # the books are closed all the same
        await asyncio.sleep(0)


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

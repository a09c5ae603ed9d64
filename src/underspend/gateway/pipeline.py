"""The request pipeline. `Pipeline.handle` is the whole path of a call, on one screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from underspend.core import engine
from underspend.core.call import BillingMode, Call, Identity
from underspend.core.context import Context
from underspend.core.conversation import Conversation, Habits
from underspend.core.engine import Step
from underspend.core.plan import Plan
from underspend.core.ports import Clock, PromptParts
from underspend.core.reply import Outcome, Reply
from underspend.formats import anthropic_edits, anthropic_request
from underspend.formats.anthropic_blocks import Anatomy
from underspend.formats.anthropic_request import MessagesRequest
from underspend.gateway import headers, refusals
from underspend.gateway.acting import Acting
from underspend.gateway.books import Books
from underspend.gateway.clock import elapsed_us
from underspend.gateway.entries import End, Entry, new_id
from underspend.gateway.holdout import NOBODY, Holdout
from underspend.gateway.identity import Identifier
from underspend.gateway.routes import Route, target_of
from underspend.gateway.spending import Spending
from underspend.gateway.status import Status
from underspend.gateway.tap import Tap
from underspend.gateway.transport import (
    BodyTooLargeError,
    ClientGoneError,
    Request,
    Responder,
    Upstream,
    UpstreamCutError,
    UpstreamReply,
    UpstreamUnreachableError,
)
from underspend.pricing.forecast import Forecast

_PROMPT_CEILING_EXTRA = 1_024  # what the provider adds around a prompt (tool-use preambles) is less
_INTENT_SECONDS = 5
_ERRORS = 400


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """Everything a call passes, each part behind its port."""

    upstream: Upstream
    books: Books
    identifier: Identifier
    steps: Sequence[Step]
    forecast: Forecast
    spending: Spending
    status: Status
    clock: Clock
    body_limit: int
    act_on_subscription: bool = False
    acting: Acting | None = None
    holdout: Holdout = NOBODY

    async def handle(self, request: Request, responder: Responder, route: Route) -> None:
        """Serve one call: read it, decide, write the intent down, forward, meter, settle."""
        try:
            raw = await request.body(self.body_limit) if route.read else None
        except BodyTooLargeError:
            await refusals.too_large(responder, self.body_limit)
            return
        began = elapsed_us()
        message = self._read(raw)
        call = self._call(request, route, message, len(raw or b""))
        plan = self._decide(call)
        if plan.refusal is not None:
            status = await refusals.refuse(responder, plan.refusal)
            self.books.refuse(plan, status)
            return
        plan, edited = self._edit(plan, raw)
        sent = request.chunks() if edited is None else edited
        held_out = self.holdout.holds(call.identity.session)
        entry = self.books.open(plan, prompt=_parts(message, call), body=raw, held_out=held_out)
        end = End(outcome=Outcome.INTERRUPTED)
        try:
            await self._intend(entry)
            entry.overhead_us = elapsed_us() - began
            end = await self._forward(request, responder, route, entry, sent)
        except asyncio.CancelledError:
            end = _unseen_end(entry, responder)
            raise
        except ClientGoneError:
            end = End(outcome=Outcome.ABORTED)
            raise
        finally:
            reply = self.books.settle(entry, replace(end, duration_us=elapsed_us() - began))
            self._learn(plan, reply)

    def _read(self, raw: bytes | None) -> MessagesRequest | None:
        try:
            return anthropic_request.read(raw) if raw is not None else None
        except Exception as error:  # noqa: BLE001  # fail open: a call that we cannot read is forwarded all the same
            self.status.fault("reader", f"{type(error).__name__}: {error}")
            return None

    def _identify(self, request: Request, route: Route, message: MessagesRequest | None) -> Identity:
        try:
            return self.identifier.identify(headers.as_mapping(request.headers), message, route)
        except Exception as error:  # noqa: BLE001  # fail open: an unknown caller is served too
            self.status.fault("identity", f"{type(error).__name__}: {error}")
            return Identity()

    async def _intend(self, entry: Entry) -> None:
        """Wait until the intent is durable, but not for ever: a disk that hangs may not hold up calls."""
        durable = self.books.ledger.intend(entry.row)
        if durable.done():
            return
        late = durable.get_loop().call_later(_INTENT_SECONDS, self._go_on_without, durable)
        try:
            await durable
        finally:
            late.cancel()

    def _go_on_without(self, durable: asyncio.Future[None]) -> None:
        if not durable.done():
            durable.set_result(None)
            self.status.fault("ledger", f"an intent was not durable within {_INTENT_SECONDS} s; the call went on")

    def _call(self, request: Request, route: Route, message: MessagesRequest | None, size: int) -> Call:
        identity = self._identify(request, route, message)
        anatomy = self._anatomy(message) if route.endpoint == "messages" else Anatomy()
        if identity.turn is None and anatomy.turn is not None:
            identity = replace(identity, turn=anatomy.turn)
        model = message.model if message is not None else ""
        return Call(
            id=new_id(),
            time=self.clock.now(),
            provider="anthropic",
            endpoint=route.endpoint,
            model=model,
            stream=bool(message is not None and message.stream),
            max_output=message.max_tokens if message is not None else 0,
            prompt_tokens=self.books.calibration.tokens(model, size),
            prompt_ceiling=size + _PROMPT_CEILING_EXTRA,
            size=size,
            effort=message.effort if message is not None else None,
            speed=message.speed if message is not None else None,
            thinking_budget=message.thinking_budget if message is not None else 0,
            automatic=message.automatic if message is not None else None,
            identity=identity,
            kind=identity.agent_type or identity.role.value,
            blocks=anatomy.blocks,
        )

    def _anatomy(self, message: MessagesRequest | None) -> Anatomy:
        """The request's blocks; none where no strategy would look at them."""
        if self.acting is None or message is None:
            return Anatomy()
        try:
            return self.acting.anatomy(message)
        except Exception as error:  # noqa: BLE001  # fail open: strategies then have nothing to edit
            self.status.fault("anatomy", f"{type(error).__name__}: {error}")
            return Anatomy()

    def _decide(self, call: Call) -> Plan:
        """Run the strategies. No other task runs between reading what is held and holding this call's worst case."""
        try:
            wanted = {key for step in self.steps for key in step.strategy.needs(call)}
            spent = {"day": self.spending.today(call.time)} if "day" in wanted else {}
            plan = engine.run(
                call,
                self._steps_for(call),
                Context(
                    now=call.time,
                    pricing=self.forecast,
                    spent=spent,
                    held=self.spending.held,
                    conversation=self._conversation(call),
                    habits=self.acting.habits if self.acting is not None else Habits(),
                ),
            )
            if wanted and plan.refusal is None:
                self.spending.hold(call.id, self.forecast.worst_case(plan.call))
        except Exception as error:  # noqa: BLE001  # fail open: only an explicit refusal stops a call
            self.status.fault("engine", f"{type(error).__name__}: {error}")
            return Plan(asked=call, call=call)
        for fault in plan.faults:
            self.status.fault(fault.component, fault.message)
        return plan

    def _steps_for(self, call: Call) -> Sequence[Step]:
        """Calls on a subscription are observed only, unless the user said otherwise; so are sessions held out."""
        if call.identity.billing is BillingMode.OAUTH and not self.act_on_subscription:
            return engine.observing(self.steps)
        held_out = self.holdout.holds(call.identity.session)
        return engine.observing(self.steps, limits=False) if held_out else self.steps

    def _conversation(self, call: Call) -> Conversation:
        """What is known of a call's conversation; counting tokens is no part of one."""
        if self.acting is None or call.endpoint != "messages":
            return Conversation()
        return self.acting.conversation(call)

    def _edit(self, plan: Plan, raw: bytes | None) -> tuple[Plan, bytes | None]:
        """The plan and the bytes to send: the client's own, but for the pieces a strategy changed."""
        if raw is None or not plan.edited:
            return plan, raw
        try:
            made = anthropic_edits.edited(raw, [each.edit for each in plan.decisions if each.applied])
            return (plan if self.acting is None else self.acting.measured(plan, made)), made
        except Exception as error:  # noqa: BLE001  # fail open: what cannot be edited is sent as it came
            self.status.fault("edit", f"{type(error).__name__}: {error}")
            return Plan(asked=plan.asked, call=plan.asked), raw

    async def _forward(
        self, request: Request, responder: Responder, route: Route, entry: Entry, sent: bytes | AsyncIterator[bytes]
    ) -> End:
        """Send the call and pass the reply on, byte for byte, as it comes."""
        began = elapsed_us()
        entry.forwarded = True
        fields = headers.forwarded(request.headers, body_changed=entry.plan.edited)
        try:
            reply = await self.upstream.send(request.method, target_of(route, request.query), fields, sent)
        except UpstreamUnreachableError as error:
            await refusals.unreachable(responder, str(error))
            return End(outcome=Outcome.UNREACHABLE, status=502, notes=(str(error),))
        entry.first_byte_us = elapsed_us() - began
        entry.tap = Tap(reply, self.status.fault, keep=self.books.store_content)
        try:
            await pass_on(reply, responder, entry.tap)
        except UpstreamCutError as error:
            return _end(entry.tap, reply, outcome=Outcome.CUT, notes=(str(error),))
        return _end(entry.tap, reply)

    def _learn(self, plan: Plan, reply: Reply) -> None:
        for step in self.steps:
            try:
                step.strategy.learn(plan.call, reply, Context(now=self.clock.now(), pricing=self.forecast))
            except Exception as error:  # noqa: BLE001  # fail open
                self.status.fault(f"strategy {step.strategy.name}", f"{type(error).__name__}: {error}")


async def pass_on(reply: UpstreamReply, responder: Responder, tap: Tap | None) -> None:
    """The reply to the client, unbuffered; a reply that breaks off is left unended, so that the client sees it."""
    async with aclosing(reply.chunks) as chunks:
        await responder.start(reply.status, headers.returned(reply.headers))
        async for chunk in chunks:
            if tap is not None:
                tap.see(chunk)
            await responder.write(chunk)
    await responder.end()


def _parts(message: MessagesRequest | None, call: Call) -> PromptParts | None:
    if message is None:
        return None
    blocks = tuple(call.blocks) or None
    return PromptParts(tools=message.tools, system=message.system, messages=message.messages, blocks=blocks)


def _end(tap: Tap, reply: UpstreamReply, *, outcome: Outcome | None = None, notes: tuple[str, ...] = ()) -> End:
    metered = tap.finish()
    if outcome is None:
        broke_off = tap.stream and metered.has_usage and not metered.complete
        outcome = Outcome.ERROR if reply.status >= _ERRORS else Outcome.CUT if broke_off else Outcome.OK
    return End(
        outcome=outcome,
        status=reply.status,
        metered=metered,
        reply_bytes=tap.size,
        request_id=tap.request_id,
        reply_body=tap.body,
        notes=notes,
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

"""Where calls meet their budgets: what each could cost, what becomes of one that has no room, attempts after the first.

A gateway without budgets has no gate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from underspend.core import budget_words
from underspend.core.budgets import Budget
from underspend.core.call import Call, Identity
from underspend.core.money import Money
from underspend.core.plan import Plan
from underspend.core.ports import Pricing
from underspend.core.usage import Usage
from underspend.formats import breach
from underspend.formats.breach import Dialect
from underspend.formats.lenient import count, decode, obj
from underspend.gateway.asked import Asked
from underspend.gateway.books import Books
from underspend.gateway.breaches import Answering, OverBudgetError
from underspend.gateway.capped import CappedResponder, so_far
from underspend.gateway.dearest import Dearest
from underspend.gateway.destinations import Candidate, Destination
from underspend.gateway.downgrading import Downgrading
from underspend.gateway.entries import Attempt, End
from underspend.gateway.holding import Admitted, Breach, Holding
from underspend.gateway.passage import Passage
from underspend.gateway.transport import Responder
from underspend.pricing.catalogue import Catalogue
from underspend.pricing.forecast import Forecast
from underspend.providers.provider import ANTHROPIC

_ELSEWHERE = (b'"file_id":', b'"type":"url"', b'"type": "url"', b'"file_url":', b'"image_url":')
"""Content that a request names and does not hold. Inside a text the quotation marks would be escaped."""

_DEARER = (b'"inference_geo"', b'"service_tier"')
_ENDABLE: dict[str, Dialect] = {"anthropic": "anthropic", "openai": "openai"}


@dataclass(slots=True, kw_only=True)
class Gate:
    """Every call passes it before it is sent.

    `forecast` prices calls, `dearer` those that say where or how fast they are to run.
    """

    holding: Holding
    answering: Answering
    books: Books
    catalogue: Catalogue
    forecast: Forecast
    dearer: Forecast
    downgrading: Downgrading | None = None

    async def downgraded(self, asked: Asked, plan: Plan) -> Plan:
        """The plan, on a cheaper model where a budget says so. Never raises: a call then keeps its model."""
        if self.downgrading is None:
            return plan
        try:
            return await self.downgrading.applied(asked, plan)
        except Exception as error:  # noqa: BLE001  # fail open: this kind of budget stops no call
            self.holding.status.fault("budgets", f"{type(error).__name__}: {error}")
            return plan

    async def admitted(self, asked: Asked, plan: Plan, to: Destination, pricing: Pricing) -> Admitted | Breach:
        """Hold what a planned call could cost, or say why it may not go."""
        if not self.holding.counts(plan.call):
            return Admitted(plan)
        try:
            return await self.holding.admit(plan, self._most(asked, plan.call, pricing), can_end=_can_end(asked, to))
        except Exception as error:  # noqa: BLE001  # whatever fails of ours, only a budget that blocks stops a call
            return self.holding.failed(plan, error)

    async def refuse(self, asked: Asked, refused: Breach, responder: Responder, attempt: Attempt | None) -> None:
        """Answer a call that may not go, and write it down."""
        status = await self.answering.answer(responder, asked, refused, self.holding.clock.now())
        self.books.refuse(refused.plan, status, attempt=attempt)

    async def bars(self, identity: Identity, responder: Responder) -> bool:
        """Whether a message batch was refused: nobody knows what it costs before its results are fetched."""
        budget = await self.holding.bars_batches(identity)
        if budget is None:
            return False
        wire = breach.error(budget_words.no_batches(budget), dialect="anthropic", budget=budget.name)
        await responder.start(wire.status, wire.headers)
        await responder.write(wire.body)
        await responder.end()
        return True

    async def next_attempt(self, passage: Passage, plan: Plan, attempt: Attempt, to: Candidate, end: End) -> Plan:
        """End the hold of an attempt that failed and hold what the next could cost. Raises OverBudgetError."""
        await self.books.hand_over(passage.entry, end)
        admitted = await self.admitted(passage.asked, plan, to.to, self.forecast)
        if isinstance(admitted, Breach):
            raise OverBudgetError(admitted, attempt, end)
        self.cap(passage, admitted.ends_at)
        return admitted.plan

    async def stopped(self, passage: Passage, error: OverBudgetError) -> End:
        """Answer a call whose next attempt may not go; the end of the attempt before it."""
        await self.refuse(passage.asked, error.refused, passage.responder, error.attempt)
        return error.end

    def cap(self, passage: Passage, budget: Budget | None) -> None:
        """Have a reply ended at a request budget's cap."""
        if budget is None or isinstance(passage.responder, CappedResponder):
            return

        def seen() -> Usage:
            tap = passage.entry.tap
            return tap.seen if tap is not None else Usage()

        def price(usage: Usage) -> Money:
            return self.books.price(passage.entry, so_far(passage.entry.plan.call, usage)) or 0

        dialect = _ENDABLE[passage.asked.dialect]
        passage.responder = CappedResponder(passage.responder, budget, dialect, seen=seen, price=price)

    @contextmanager
    def released_on_failure(self, call: Call) -> Iterator[None]:
        """Let go of a call that comes to nothing before it is sent."""
        try:
            yield
        except BaseException:
            self.holding.settle(call.id, 0, sent=False)
            raise

    def _most(self, asked: Asked, call: Call, pricing: Pricing) -> Money | None:
        """The most a call can cost; None where its request cannot be read."""
        raw = asked.raw
        if raw is None or (asked.message is None and asked.chat is None):
            return None
        try:
            if any(mark in raw for mark in _ELSEWHERE):
                call = replace(call, prompt_ceiling=self._window(call))
            if any(mark in raw for mark in _DEARER):
                pricing = replace(pricing, pricing=self.dearer) if isinstance(pricing, Dearest) else self.dearer
            return pricing.worst_case(call) * _choices(asked)
        except Exception as error:  # noqa: BLE001  # what a call can cost is then not known; the holding knows what follows
            self.holding.status.fault("budgets", f"{type(error).__name__}: {error}")
            return None

    def _window(self, call: Call) -> int:
        """The longest prompt that a call's model takes."""
        model = self.catalogue.find(call.model, provider=call.provider)
        if model is None or model.context is None:
            raise LookupError(f"the window of {call.model} is not known, and the call names files or addresses")
        return max(call.prompt_ceiling, model.context)


def _choices(asked: Asked) -> int:
    """How many replies an OpenAI-style client asks for at once."""
    raw = asked.raw or b""
    if asked.chat is None or b'"n"' not in raw:
        return 1
    return max(1, count(obj(decode(raw)).get("n")))


def _can_end(asked: Asked, to: Destination) -> bool:
    """Whether the reply comes as a stream that shows how long it is, and that we can end in the client's dialect."""
    is_shown = asked.message is not None and ANTHROPIC in to.provider.speaks
    return is_shown and asked.call.stream and asked.dialect in _ENDABLE

"""Keeping the books of a call: its row when it is let through, its bill when it has ended."""

from __future__ import annotations

import zlib
from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass, replace

from underspend.core.call import Call
from underspend.core.evidence import Evidence
from underspend.core.money import Money
from underspend.core.plan import Plan
from underspend.core.ports import Clock, LedgerPort, PromptParts, Row, Settlement, Value
from underspend.core.reply import Bill, Outcome, Reply
from underspend.core.usage import Metered, Unit, Usage
from underspend.gateway.acting import Acting
from underspend.gateway.entries import (
    Attempt,
    End,
    Entry,
    bill_rows,
    decision_rows,
    effect_rows,
    open_row,
    settled_row,
)
from underspend.gateway.holding import Holding
from underspend.gateway.live import Live
from underspend.gateway.status import Status
from underspend.gateway.worlds import Effect, Ended
from underspend.pricing.catalogue import Catalogue
from underspend.pricing.cost import cost
from underspend.tokens.estimate import Calibration


@dataclass(slots=True, kw_only=True)
class Books:
    """Writes entries. All that is awaited is the intent; everything after the reply is queued."""

    ledger: LedgerPort
    catalogue: Catalogue
    clock: Clock
    live: Live
    status: Status
    calibration: Calibration
    upstream: str
    store_content: bool = False
    acting: Acting | None = None
    holding: Holding | None = None

    def open(
        self,
        plan: Plan,
        *,
        prompt: PromptParts | None,
        body: bytes | None,
        held_out: bool = False,
        attempt: Attempt | None = None,
    ) -> Entry:
        """An entry for a call that is about to be forwarded. `attempt` says what is not as it always is."""
        call = plan.asked
        row = open_row(plan, self.upstream)
        if held_out:
            row["held_out"] = True
        if attempt is not None:
            row.update(attempt.columns())
        kept = body if self.store_content else None
        entry = Entry(call, plan, row, prompt, kept)
        self.status.calls += 1
        self.status.in_flight += 1
        if self.live.heard:
            self.live.publish(entry.row)
        return entry

    async def intend(self, entry: Entry) -> None:
        """Wait until the intent is durable, but not for ever: a disk that hangs may not hold up calls."""
        durable = self.ledger.intend(entry.row)
        if durable.done():
            return
        late = durable.get_loop().call_later(_INTENT_SECONDS, self._go_on_without, durable)
        try:
            await durable
        finally:
            late.cancel()

    def _go_on_without(self, durable: Future[None]) -> None:
        if not durable.done():
            durable.set_result(None)
            self.status.fault("ledger", f"an intent was not durable within {_INTENT_SECONDS} s; the call went on")

    def refuse(self, plan: Plan, status: int, *, attempt: Attempt | None = None) -> None:
        """Write down a call that was not sent."""
        self.status.calls += 1
        row: dict[str, Value] = {
            **open_row(plan, self.upstream),
            **(attempt.columns() if attempt is not None else {}),
            "state": "settled",
            "ended_at": self.clock.now(),
            "outcome": Outcome.REFUSED.value,
            "status": status,
            "evidence": Evidence.BILLED.value,
        }
        self.ledger.settle(Settlement(call=row, decisions=decision_rows(plan)))
        self.live.publish(row)

    def settle(self, entry: Entry, end: End, seen: Callable[[Entry, Reply], None] | None = None) -> Reply:
        """Bill the call and write its end. Returns what strategies may learn from.

        `seen` is told once the bill is known; what it adds to the entry's plan is written with the rest.
        """
        bill, metered = self._billed(entry, end)
        reply = Reply(outcome=end.outcome, status=end.status or 0, metered=metered, bill=bill)
        try:
            if seen is not None:
                seen(entry, reply)
            self._write(entry, end, bill, metered, self.clock.now())
        finally:
            # After the ledger: what a killed gateway has written there, the next one tells the store of holds.
            if self.holding is not None:
                self._count(self.holding, entry, bill, metered)
        self.status.in_flight -= 1
        if entry.overhead_us is not None:
            self.status.overhead(entry.overhead_us)
        if metered is not None and metered.complete and metered.has_usage:
            self.calibration.observe(entry.plan.call.model, entry.call.size, metered.usage.prompt)
        return reply

    def _count(self, holding: Holding, entry: Entry, bill: Bill, metered: Metered | None) -> None:
        try:
            holding.settle(entry.call.id, self._counted(bill, metered), sent=entry.forwarded)
        except Exception as error:  # noqa: BLE001  # fail open: the ledger has it, and a restart tells the store
            self.status.fault("budgets", f"{type(error).__name__}: {error}")

    async def hand_over(self, entry: Entry, end: End) -> None:
        """End the hold of an attempt that failed, for the next to have its room; the attempt is settled later."""
        if self.holding is not None:
            owed = self._counted(*self._billed(entry, end))
            await self.holding.handed_over(entry.call.id, owed, sent=entry.forwarded)

    def settle_batch_result(self, entry: Entry, end: End) -> None:
        """Bill one result of a batch, at the batch price whatever its usage says of the tier."""
        if end.metered is None:
            return
        bill = cost(end.metered, at=entry.call.time, catalogue=self.catalogue, batch=True)
        if self.holding is not None:
            self.holding.book(entry.call, self._counted(bill, end.metered))
        self._write(entry, end, bill, end.metered, self.clock.now())

    def _write(self, entry: Entry, end: End, bill: Bill, metered: Metered | None, now: int) -> None:
        row = {**entry.row, **settled_row(entry, end, bill, metered, now)}
        effects = self._effects(entry, metered, bill.total)
        row["without_us_pico"] = bill.total + sum([effect.saved for effect in effects])
        self.ledger.settle(
            Settlement(
                call=row,
                lines=bill_rows(entry.call.id, bill),
                decisions=self._decisions(entry),
                effects=effect_rows(entry.call.id, effects),
                kept=self._kept(entry),
                prompt=entry.prompt,
                contents=self._contents(entry, end),
            )
        )
        self.live.publish(row)

    def _kept(self, entry: Entry) -> list[Row]:
        """What later calls of the conversation need again, of a call that was sent: however it ended."""
        if self.acting is None or not entry.forwarded or not entry.followed:
            return []
        try:
            return self.acting.keep(entry.plan)
        except Exception as error:  # noqa: BLE001  # fail open: as above
            self.status.fault("acting", f"{type(error).__name__}: {error}")
            return []

    def _billed(self, entry: Entry, end: End) -> tuple[Bill, Metered | None]:
        """The bill; without a price where pricing itself fails, so that the tokens are written down all the same."""
        try:
            return self._bill(entry, end)
        except Exception as error:  # noqa: BLE001  # fail open: a price may be mended later, a lost row may not
            self.status.fault("pricing", f"{type(error).__name__}: {error}")
            return Bill(unpriced=(entry.plan.call.model or "unknown",), notes=("pricing failed",)), end.metered

    def _bill(self, entry: Entry, end: End) -> tuple[Bill, Metered | None]:
        metered = end.metered
        if metered is not None and metered.has_usage:
            return self._cost(entry, metered), metered
        if entry.forwarded and end.outcome in _END_UNSEEN and entry.call.endpoint == "messages":
            guess = guessed(entry.plan.call)
            return self._cost(entry, guess), guess
        return Bill(), None

    def price(self, entry: Entry, metered: Metered, *, model: str | None = None, provider: str = "") -> Money | None:
        """What a metered reply costs; with `model`, what its tokens would have cost there. None without a price."""
        other = replace(metered, provider=provider) if provider not in {"", metered.provider} else metered
        bill = cost(other, at=entry.call.time, catalogue=self.catalogue, regional=entry.regional, model=model)
        return bill.total if bill.priced else None

    def _cost(self, entry: Entry, metered: Metered) -> Bill:
        return cost(metered, at=entry.call.time, catalogue=self.catalogue, regional=entry.regional)

    def _decisions(self, entry: Entry) -> list[Row]:
        if not entry.plan.decisions:
            return []
        try:
            return decision_rows(entry.plan, entry.request_body)
        except Exception as error:  # noqa: BLE001  # fail open: a row without its decisions beats none
            self.status.fault("decisions", f"{type(error).__name__}: {error}")
            return []

    def _effects(self, entry: Entry, metered: Metered | None, paid: Money) -> tuple[Effect, ...]:
        """What strategies saved on a call; nothing where none could edit it, or where its bill is not known."""
        if self.acting is None or not (entry.followed or entry.talks):
            return ()
        if metered is None or not metered.has_usage or not metered.usage.prompt:
            return ()
        sent = entry.call.time
        ended = Ended(sent=sent, began=sent + (entry.first_byte_us or 0), metered=metered)
        if not entry.followed:
            self.acting.passed(entry.plan.call, metered.usage, paid)
            return ()
        try:
            plan = entry.plan if entry.without is None else replace(entry.plan, asked=entry.without)
            return self.acting.settle(plan, ended, paid)
        except Exception as error:  # noqa: BLE001  # fail open: the bill stands without its counterfactual
            self.status.fault("counterfactual", f"{type(error).__name__}: {error}")
            return ()

    def _counted(self, bill: Bill, metered: Metered | None) -> Money:
        """What budgets count of a call: its bill, and units without a price at the dearest rates known."""
        if metered is None or bill.priced:
            return bill.total
        rates = self.catalogue.dearest(self.clock.now(), provider=metered.provider)
        usage = metered.usage
        return bill.total + usage.prompt * rates.dearest_prompt + usage.output * (rates.output or 0)

    def _contents(self, entry: Entry, end: End) -> Row | None:
        if not self.store_content or entry.request_body is None:
            return None
        reply = zlib.compress(end.reply_body) if end.reply_body is not None else None
        return {"call_id": entry.call.id, "request": zlib.compress(entry.request_body), "reply": reply}


_INTENT_SECONDS = 5
_END_UNSEEN = {Outcome.ABORTED, Outcome.CUT, Outcome.INTERRUPTED}


def guessed(call: Call) -> Metered:
    """A stand-in for a reply of which nothing was seen: the prompt as estimated, all of it fresh, no output."""
    usage = Usage(input=call.prompt_tokens)
    return Metered(
        provider=call.provider,
        model=call.model,
        units=(Unit("message", usage),),
        reported=usage,
        speed=call.speed,
        complete=False,
        notes=("no usage was seen; input as estimated from the request's size",),
    )

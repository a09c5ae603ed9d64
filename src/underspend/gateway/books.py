"""Keeping the books of a call: its row when it is let through, its bill when it has ended."""

from __future__ import annotations

import json
import random
import secrets
import zlib
from dataclasses import dataclass
from typing import assert_never, cast

from underspend.core.call import Call
from underspend.core.edits import (
    DropMessages,
    Edit,
    Refuse,
    ReplaceContent,
    SetBreakpoint,
    SetEffort,
    SetMaxOutput,
    SetModel,
    ShortenContent,
    Warn,
)
from underspend.core.evidence import Evidence
from underspend.core.money import Money
from underspend.core.plan import Plan
from underspend.core.ports import Clock, LedgerPort, PromptParts, Row, Settlement, Value
from underspend.core.reply import Bill, Outcome, Reply
from underspend.core.usage import Lane, Metered, Unit, Usage
from underspend.gateway.live import Live
from underspend.gateway.spending import Spending
from underspend.gateway.status import Status
from underspend.gateway.tap import Tap
from underspend.pricing.catalogue import Catalogue
from underspend.pricing.cost import cost
from underspend.tokens.estimate import Calibration

_names = random.Random(secrets.randbits(256))  # noqa: S311  # names are to differ, not to be secret


def new_id() -> str:
    """A name for a call: 16 hexadecimal digits, of which the first few tell it from the others."""
    return f"{_names.getrandbits(64):016x}"


@dataclass(slots=True)
class Entry:
    """A call that is under way, and what is known of it so far."""

    call: Call
    plan: Plan
    row: dict[str, Value]
    prompt: PromptParts | None = None
    request_body: bytes | None = None
    tap: Tap | None = None
    first_byte_us: int | None = None
    overhead_us: int | None = None
    forwarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a call ended, as the pipeline saw it."""

    outcome: Outcome
    status: int | None = None
    metered: Metered | None = None
    reply_bytes: int = 0
    request_id: str | None = None
    duration_us: int = 0
    reply_body: bytes | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Books:
    """Writes entries. All that is awaited is the intent; everything after the reply is queued."""

    ledger: LedgerPort
    catalogue: Catalogue
    clock: Clock
    live: Live
    status: Status
    spending: Spending
    calibration: Calibration
    upstream: str
    store_content: bool = False

    def open(self, plan: Plan, *, prompt: PromptParts | None, body: bytes | None) -> Entry:
        """An entry for a call that is about to be forwarded."""
        call = plan.asked
        entry = Entry(call, plan, open_row(plan, self.upstream), prompt, body if self.store_content else None)
        self.status.calls += 1
        self.status.in_flight += 1
        if self.live.heard:
            self.live.publish(entry.row)
        return entry

    def refuse(self, plan: Plan, status: int) -> None:
        """Write down a call that was not sent."""
        self.status.calls += 1
        row: dict[str, Value] = {
            **open_row(plan, self.upstream),
            "state": "settled",
            "ended_at": self.clock.now(),
            "outcome": Outcome.REFUSED.value,
            "status": status,
            "evidence": Evidence.BILLED.value,
        }
        self.ledger.settle(Settlement(call=row, decisions=decision_rows(plan)))
        self.live.publish(row)

    def settle(self, entry: Entry, end: End) -> Reply:
        """Bill the call and write its end. Returns what strategies may learn from."""
        bill, metered = self._billed(entry, end)
        now = self.clock.now()
        self._write(entry, end, bill, metered, now)
        self.status.in_flight -= 1
        if entry.overhead_us is not None:
            self.status.overhead(entry.overhead_us)
        self.spending.settle(entry.call.id, bill.total + self._unknown_part(metered, bill), now)
        if metered is not None and metered.complete and metered.has_usage:
            self.calibration.observe(entry.plan.call.model, entry.call.size, metered.usage.prompt)
        return Reply(outcome=end.outcome, status=end.status or 0, metered=metered, bill=bill)

    def settle_batch_result(self, entry: Entry, end: End) -> None:
        """Bill one result of a batch, at the batch price whatever its usage says of the tier."""
        if end.metered is None:
            return
        bill = cost(end.metered, at=entry.call.time, catalogue=self.catalogue, batch=True)
        self._write(entry, end, bill, end.metered, self.clock.now())

    def _write(self, entry: Entry, end: End, bill: Bill, metered: Metered | None, now: int) -> None:
        row = {**entry.row, **settled_row(entry, end, bill, metered, now)}
        row["without_us_pico"] = self._without_us(entry, metered, bill)
        self.ledger.settle(
            Settlement(
                call=row,
                lines=bill_rows(entry.call.id, bill),
                decisions=decision_rows(entry.plan),
                prompt=entry.prompt,
                contents=self._contents(entry, end),
            )
        )
        self.live.publish(row)

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
            return cost(metered, at=entry.call.time, catalogue=self.catalogue), metered
        if entry.forwarded and end.outcome in _END_UNSEEN and entry.call.endpoint == "messages":
            guess = guessed(entry.plan.call)
            return cost(guess, at=entry.call.time, catalogue=self.catalogue), guess
        return Bill(), None

    def _without_us(self, entry: Entry, metered: Metered | None, bill: Bill) -> Money:
        """The same reply at the model that was asked for; the bill itself where nothing was changed."""
        if metered is None or entry.plan.call.model == entry.call.model:
            return bill.total
        return cost(metered, at=entry.call.time, catalogue=self.catalogue, model=entry.call.model).total

    def _unknown_part(self, metered: Metered | None, bill: Bill) -> Money:
        """What budgets count for units without a price: the dearest rates known."""
        if metered is None or bill.priced:
            return 0
        rates = self.catalogue.dearest(self.clock.now(), provider=metered.provider)
        usage = metered.usage
        return usage.prompt * rates.dearest_prompt + usage.output * (rates.output or 0)

    def _contents(self, entry: Entry, end: End) -> Row | None:
        if not self.store_content or entry.request_body is None:
            return None
        reply = zlib.compress(end.reply_body) if end.reply_body is not None else None
        return {"call_id": entry.call.id, "request": zlib.compress(entry.request_body), "reply": reply}


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


def open_row(plan: Plan, upstream: str) -> dict[str, Value]:
    """The ledger's row of a call that is let through."""
    call, identity = plan.asked, plan.asked.identity
    return {
        "id": call.id,
        "started_at": call.time,
        "state": "open",
        "endpoint": call.endpoint,
        "provider": call.provider,
        "upstream": upstream,
        "stream": call.stream,
        "model_asked": _cut(call.model, 128),
        "model_sent": _cut(plan.call.model, 128),
        "session": _cut(identity.session, 128),
        "agent": _cut(identity.agent, 64),
        "parent_agent": _cut(identity.parent_agent, 64),
        "agent_type": _cut(identity.agent_type, 64),
        "role": identity.role.value,
        "turn": _cut(identity.turn, 64),
        "project": _cut(identity.project, 255),
        "user_agent": _cut(identity.user_agent, 255),
        "key": identity.key,
        "billing": identity.billing.value,
        "effort": _cut(call.effort, 16),
        "max_output": min(call.max_output, 2**31 - 1),
        "request_bytes": call.size,
        "prompt_estimate": call.prompt_tokens,
    }


_LANE_COLUMNS = tuple((lane, f"{lane.value}_tokens", f"{lane.value}_pico") for lane in Lane)
_LANE_MONEY = {lane: money for lane, _, money in _LANE_COLUMNS}
_NO_MONEY: dict[str, Value] = dict.fromkeys(_LANE_MONEY.values(), 0)


def settled_row(entry: Entry, end: End, bill: Bill, metered: Metered | None, now: int) -> dict[str, Value]:
    """What the end of a call adds to its row."""
    usage = metered.usage if metered is not None else Usage()
    row: dict[str, Value] = {
        "state": "settled",
        "ended_at": now,
        "outcome": end.outcome.value,
        "status": end.status,
        "model_served": _cut(metered.served_model, 128) if metered is not None else None,
        "message_id": _cut(metered.message_id, 128) if metered is not None else None,
        "request_id": _cut(end.request_id, 128),
        "stop_reason": _cut(metered.stop_reason, 48) if metered is not None else None,
        "reply_bytes": end.reply_bytes,
        "thinking_tokens": metered.thinking_tokens if metered is not None else 0,
        "web_searches": metered.web_searches if metered is not None else 0,
        "cost_pico": bill.total,
        "extra_pico": sum(amount for _, amount in bill.extras),
        "unpriced": _cut(", ".join(bill.unpriced), 255) or None,
        "evidence": bill.evidence.value,
        "notes": json.dumps(notes) if (notes := [*bill.notes, *end.notes]) else None,
        "first_byte_us": entry.first_byte_us,
        "duration_us": end.duration_us,
        "overhead_us": entry.overhead_us,
    }
    for lane, tokens, _ in _LANE_COLUMNS:
        row[tokens] = usage.lane(lane)
    row.update(_NO_MONEY)
    for line in bill.lines:
        name = _LANE_MONEY[line.lane]
        row[name] = cast("int", row[name]) + line.amount
    return row


def bill_rows(call_id: str, bill: Bill) -> list[Row]:
    """The lines of a bill as rows."""
    return [
        {
            "call_id": call_id,
            "n": n,
            "unit": line.unit,
            "kind": line.kind[:32],
            "model": line.model[:128],
            "lane": line.lane.value,
            "tokens": line.tokens,
            "rate_pico": line.rate,
            "amount_pico": line.amount,
        }
        for n, line in enumerate(bill.lines)
    ]


def decision_rows(plan: Plan) -> list[Row]:
    """What strategies proposed, as rows."""
    return [
        {
            "call_id": plan.asked.id,
            "n": n,
            "strategy": decision.strategy,
            "edit": type(decision.edit).__name__,
            "detail": _detail(decision.edit),
            "why": decision.edit.why,
            "applied": decision.applied,
            "before_pico": decision.before,
            "after_pico": decision.after,
        }
        for n, decision in enumerate(plan.decisions)
    ]


def _detail(edit: Edit) -> str | None:  # noqa: PLR0911  # one line for each edit there is
    match edit:
        case SetModel(model=model):
            return f"model → {model}"
        case SetBreakpoint(at=at, ttl=ttl):
            return f"breakpoint {ttl} on block {at}"
        case ReplaceContent(at=at, tokens=tokens):
            return f"block {at} → a note of {tokens} tokens"
        case ShortenContent(at=at, tokens=tokens):
            return f"block {at} → {tokens} tokens of its ends"
        case DropMessages(first=first, last=last):
            return f"messages {first} to {last} left out"
        case SetMaxOutput(tokens=tokens):
            return f"max_tokens → {tokens}"
        case SetEffort(effort=effort):
            return f"effort → {effort}"
        case Warn() | Refuse():
            return None
        case _:
            assert_never(edit)


def _cut(value: str | None, length: int) -> str | None:
    return value[:length] if value else None

"""A call's entry in the books: what is known of it while it is under way, how it ended, and both as rows."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from underspend.core.call import BillingMode, Call
from underspend.core.plan import Plan
from underspend.core.ports import PromptParts, Row, Value
from underspend.core.reply import Bill, Outcome
from underspend.core.usage import Lane, Metered, Usage
from underspend.gateway.edits_shown import details
from underspend.gateway.tap import Tap
from underspend.gateway.worlds import Effect

_names = random.Random(secrets.randbits(256))  # noqa: S311  # names are to differ, not to be secret


def new_id() -> str:
    """A name for a call: 16 hexadecimal digits, of which the first few tell it from the others."""
    return f"{_names.getrandbits(64):016x}"


@dataclass(slots=True)
class Entry:
    """A call that is under way, and what is known of it so far.

    `talks` is whether it is a turn of a conversation, `followed` whether that has been taken apart, so that strategies
    may know it. `without` is the call as it would have gone without us,
    where the client left the model to us.
    """

    call: Call
    plan: Plan
    row: dict[str, Value]
    prompt: PromptParts | None = None
    request_body: bytes | None = None
    tap: Tap | None = None
    first_byte_us: int | None = None
    overhead_us: int | None = None
    forwarded: bool = False
    regional: bool = False
    followed: bool = True
    talks: bool = False
    without: Call | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What sets an entry apart from a call that goes where its client meant it to.

    `of` is the id of the call's first attempt, None for the first. `upstream` is whom it is sent to, `provider` the
    price list it is billed by, `named` the model as the client said it, `endpoint` where it came in. With
    `ours` our own key pays, whatever the client came with.
    """

    upstream: str
    provider: str
    named: str
    endpoint: str
    ours: bool = False
    of: str | None = None

    def columns(self) -> dict[str, Value]:
        """As columns of the ledger."""
        paid = {"billing": BillingMode.API_KEY.value} if self.ours else {}
        return {
            **paid,
            "upstream": _cut(self.upstream, 255) or "",
            "provider": self.provider[:32],
            "endpoint": self.endpoint,
            "model_asked": _cut(self.named, 128),
            "attempt_of": self.of,
        }


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


def decision_rows(plan: Plan, body: bytes | None = None) -> list[Row]:
    """What strategies proposed, as rows; what was only done again stands with the call it was decided for.

    `body` is the request's where the user has it stored.
    """
    told = [(each, detail) for each, detail in zip(plan.decisions, details(plan, body), strict=True) if not each.again]
    return [
        {
            "call_id": plan.asked.id,
            "n": n,
            "strategy": decision.strategy,
            "edit": type(decision.edit).__name__,
            "detail": detail,
            "why": decision.edit.why,
            "applied": decision.applied,
            "before_pico": decision.before,
            "after_pico": decision.after,
        }
        for n, (decision, detail) in enumerate(told)
    ]


def effect_rows(call_id: str, effects: Iterable[Effect]) -> list[Row]:
    """What strategies saved on a call, as rows."""
    return [{"call_id": call_id, "strategy": effect.strategy, "saved_pico": effect.saved} for effect in effects]


def _cut(value: str | None, length: int) -> str | None:
    return value[:length] if value else None

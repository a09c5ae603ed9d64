"""Settling what a killed gateway left open: the calls may have been billed, and nobody saw the end."""

from __future__ import annotations

from underspend.core.call import Call
from underspend.core.ports import Clock, Row, Settlement
from underspend.core.reply import Outcome
from underspend.core.usage import Lane
from underspend.gateway.books import guessed
from underspend.gateway.entries import bill_rows
from underspend.pricing.catalogue import Catalogue
from underspend.pricing.cost import cost
from underspend.stores.ledger import SqlLedger

_ANSWERED = frozenset({"messages", "chat", "responses", "embeddings"})


def settle_interrupted(ledger: SqlLedger, prices: Catalogue, clock: Clock) -> int:
    """Settle every open intent as interrupted, its prompt as estimated and no output. Returns how many there were."""
    open_calls = ledger.open_calls()
    for row in open_calls:
        ledger.settle(_interrupted(row, prices, clock.now()))
    return len(open_calls)


def _interrupted(row: Row, prices: Catalogue, now: int) -> Settlement:
    call = Call(
        id=str(row["id"]),
        time=int(row["started_at"] or 0),
        provider=str(row["provider"]),
        endpoint=str(row["endpoint"]),
        model=str(row["model_sent"] or ""),
        prompt_tokens=int(row["prompt_estimate"] or 0) if row["endpoint"] in _ANSWERED else 0,
    )
    bill = cost(guessed(call), at=call.time, catalogue=prices)
    return Settlement(
        call={
            **row,
            "state": "settled",
            "ended_at": now,
            "outcome": Outcome.INTERRUPTED.value,
            "cost_pico": bill.total,
            "without_us_pico": bill.total,
            "input_tokens": call.prompt_tokens,
            "input_pico": bill.lane(Lane.INPUT),
            "unpriced": ", ".join(bill.unpriced) or None,
            "evidence": bill.evidence.value,
        },
        lines=bill_rows(call.id, bill),
    )

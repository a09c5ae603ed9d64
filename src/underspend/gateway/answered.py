"""The books of a call that was answered here: a row that was billed nothing, and what that saved at the least."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from underspend.core.evidence import Evidence
from underspend.core.money import Money
from underspend.core.plan import Plan
from underspend.core.ports import Row, Settlement, Value
from underspend.core.replies import repeated
from underspend.core.reply import Outcome
from underspend.core.usage import Metered, Unit, Usage
from underspend.gateway.books import Books
from underspend.gateway.entries import effect_rows, open_row
from underspend.gateway.worlds import Effect
from underspend.pricing.cost import cost

CACHE, FAQ = "response_cache", "faq_answers"
"""What answered, as the ledger names it among the strategies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An answer that a call got. `by` is CACHE or FAQ; `usage` of the call that was once billed for the reply.

    `detail` and `why` say in words what was given and for what reason, without any text of it. `columns` sets the row
    apart where the call does not go as ever. It was found after `found_us` and given after `took_us`. `whole` is False
    where the client went away before the end.
    """

    by: str
    detail: str
    why: str
    model: str
    usage: Usage
    body: bytes = field(repr=False)
    found_us: int = 0
    took_us: int = 0
    whole: bool = True
    regional: bool = False
    columns: Mapping[str, Value] = field(default_factory=dict)


def write(books: Books, plan: Plan, given: Given, *, request: bytes | None) -> None:
    """Write the call down as settled. It has no message id, since that names the call that was billed."""
    worth = _worth(books, plan, given) if given.whole else 0
    now = books.clock.now()
    row: dict[str, Value] = {
        **open_row(plan, books.upstream),
        **given.columns,
        "state": "settled",
        "ended_at": now,
        "outcome": (Outcome.ANSWERED if given.whole else Outcome.ABORTED).value,
        "status": 200,
        "model_served": given.model[:128] or None,
        "reply_bytes": len(given.body),
        "evidence": Evidence.ESTIMATED.value,
        "without_us_pico": worth or 0,
        "notes": None if worth is not None else '["what it would have cost is not known"]',
        "first_byte_us": given.found_us,
        "duration_us": given.took_us,
    }
    books.status.calls += 1
    books.ledger.settle(
        Settlement(
            call=row,
            decisions=[_decision(plan, given, worth)],
            effects=effect_rows(plan.asked.id, [Effect(given.by, worth)] if worth else []),
            contents=_contents(books, plan, given, request),
        )
    )
    books.live.publish(row)


def _worth(books: Books, plan: Plan, given: Given) -> Money | None:
    """The least that an equal call would have cost; None where nothing is known of that."""
    usage, call = repeated(given.usage), plan.call
    if usage == Usage():
        return None
    model = given.model or call.model
    unit = Unit("message", usage)
    asked = Metered(provider=call.provider, model=model, units=(unit,), reported=usage, speed=call.speed)
    try:
        bill = cost(asked, at=call.time, catalogue=books.catalogue, regional=given.regional)
        if not bill.priced and model != call.model:
            bill = cost(replace(asked, model=call.model), at=call.time, catalogue=books.catalogue)
    except Exception as error:  # noqa: BLE001  # fail open: the reply is out, and its price only a figure
        books.status.fault("pricing", f"{type(error).__name__}: {error}")
        return None
    return bill.total if bill.priced else None


def _decision(plan: Plan, given: Given, worth: Money | None) -> Row:
    return {
        "call_id": plan.asked.id,
        "n": 0,
        "strategy": given.by,
        "edit": "Answer",
        "detail": given.detail,
        "why": given.why,
        "applied": True,
        "before_pico": worth,
        "after_pico": 0 if worth is not None else None,
    }


def _contents(books: Books, plan: Plan, given: Given, request: bytes | None) -> Row | None:
    if not books.store_content or request is None:
        return None
    reply = zlib.compress(given.body) if given.whole else None
    return {"call_id": plan.asked.id, "request": zlib.compress(request), "reply": reply}

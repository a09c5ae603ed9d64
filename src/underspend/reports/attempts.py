"""The attempts of one call: whom it was sent to one after the other, and what each cost."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, or_, select

from underspend.core.money import Money
from underspend.stores.schema import calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One row of the ledger that belongs to a call with several."""

    id: str
    provider: str
    upstream: str
    model: str | None
    outcome: str | None
    status: int | None
    paid: Money


def attempts_of(engine: Engine, call: str, attempt_of: str | None) -> tuple[Attempt, ...]:
    """All attempts of the call that a row belongs to, in order; none where there was only one."""
    first = attempt_of or call
    wanted = (
        select(calls)
        .where(or_(calls.c.id == first, calls.c.attempt_of == first))
        .order_by(calls.c.started_at, calls.c.attempt_of.is_not(None), calls.c.id)
    )
    with engine.connect() as connection:
        found = connection.execute(wanted).mappings().all()
    if len(found) <= 1:
        return ()
    return tuple(
        Attempt(
            id=row["id"],
            provider=row["provider"],
            upstream=row["upstream"],
            model=row["model_served"] or row["model_sent"],
            outcome=row["outcome"],
            status=row["status"],
            paid=row["cost_pico"],
        )
        for row in found
    )

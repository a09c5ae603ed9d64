"""What was spent before a start, added up in stretches of time."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine, func, select

from underspend.core.money import Money
from underspend.stores.schema import calls


def spent_in_stretches(engine: Engine, since: int, stretch: int) -> Iterator[tuple[int, Money]]:
    """When each stretch of `stretch` microseconds began and what its calls cost (pico-dollars), oldest first.

    Only stretches with spending since `since` (µs since the epoch). Raises sqlalchemy.exc.SQLAlchemyError.
    """
    number = calls.c.started_at // stretch
    asked = (
        select(number, func.sum(calls.c.cost_pico))
        .where(calls.c.started_at >= since, calls.c.cost_pico > 0)
        .group_by(number)
        .order_by(number)
    )
    with engine.connect() as connection:
        for at, amount in connection.execute(asked):
            yield int(at) * stretch, int(amount)

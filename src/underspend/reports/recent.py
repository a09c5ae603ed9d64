"""The latest calls."""

from __future__ import annotations

from sqlalchemy import Engine, select

from underspend.reports.entry import Entry, columns, entry
from underspend.reports.filters import SOURCE, Filter
from underspend.stores.schema import calls


def recent(engine: Engine, *, where: Filter | None = None, limit: int = 50) -> tuple[Entry, ...]:
    """At most `limit` calls that pass the filter, the one that began last first."""
    query = (
        select(*columns())
        .select_from(SOURCE)
        .where(*(where or Filter()).conditions())
        .order_by(calls.c.started_at.desc(), calls.c.id.desc())
        .limit(limit)
    )
    with engine.connect() as connection:
        return tuple(entry(row) for row in connection.execute(query).mappings())


def settled_after(engine: Engine, *, at: int, seen: frozenset[str] = frozenset()) -> tuple[Entry, ...]:
    """Calls that ended at `at` (µs since the epoch) or later and are not in `seen`, the one that ended first first."""
    query = (
        select(*columns())
        .select_from(SOURCE)
        .where(*Filter().conditions(), calls.c.ended_at >= at)
        .order_by(calls.c.ended_at, calls.c.id)
    )
    with engine.connect() as connection:
        return tuple(entry(row) for row in connection.execute(query).mappings() if row["id"] not in seen)

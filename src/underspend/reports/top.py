"""The costliest calls and sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, func, select

from underspend.reports import sums
from underspend.reports.entry import Entry, columns, entry
from underspend.reports.filters import MODEL, PROJECT, SOURCE, Filter
from underspend.reports.sums import Sums
from underspend.stores.schema import calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session's sums, from when to when its calls began, and its models, the dearest first."""

    session: str
    project: str | None
    first_at: int
    last_at: int
    models: tuple[str, ...]
    sums: Sums


def costliest_calls(engine: Engine, *, where: Filter | None = None, limit: int = 10) -> tuple[Entry, ...]:
    """At most `limit` calls, the dearest first."""
    query = (
        select(*columns())
        .select_from(SOURCE)
        .where(*(where or Filter()).conditions())
        .order_by(calls.c.cost_pico.desc(), calls.c.started_at.desc(), calls.c.id)
        .limit(limit)
    )
    with engine.connect() as connection:
        return tuple(entry(row) for row in connection.execute(query).mappings())


def _models(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> dict[str, list[str]]:
    """The models of each session, the dearest first."""
    query = (
        select(calls.c.session, MODEL.label("model"))
        .select_from(SOURCE)
        .where(*conditions, MODEL.is_not(None))
        .group_by(calls.c.session, MODEL)
        .order_by(func.sum(calls.c.cost_pico).desc(), MODEL)
    )
    used: dict[str, list[str]] = {}
    for session, model in connection.execute(query):
        used.setdefault(session, []).append(model)
    return used


def costliest_sessions(engine: Engine, *, where: Filter | None = None, limit: int = 10) -> tuple[Session, ...]:
    """At most `limit` sessions, the dearest first; calls without a session are in none."""
    conditions = [*(where or Filter()).conditions(), calls.c.session.is_not(None)]
    query = (
        select(
            calls.c.session,
            func.max(PROJECT).label("project"),
            func.min(calls.c.started_at).label("first_at"),
            func.max(calls.c.started_at).label("last_at"),
            *sums.columns(),
        )
        .select_from(SOURCE)
        .where(*conditions)
        .group_by(calls.c.session)
        .order_by(func.sum(calls.c.cost_pico).desc(), calls.c.session)
        .limit(limit)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
        used = _models(connection, [*conditions, calls.c.session.in_([row["session"] for row in rows])])
    return tuple(
        Session(
            session=row["session"],
            project=row["project"],
            first_at=row["first_at"],
            last_at=row["last_at"],
            models=tuple(used.get(row["session"], ())),
            sums=sums.read(row),
        )
        for row in rows
    )

"""Where the money went: sums by day, model, session, project and more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, select

from underspend.core.usage import Usage
from underspend.reports import sums
from underspend.reports.filters import MODEL, PROJECT, SOURCE, Filter
from underspend.reports.periods import QUARTER, Step, label
from underspend.reports.sums import Sums
from underspend.stores.schema import LANE_TOKENS, calls


class By(StrEnum):
    """What figures are grouped by."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    MODEL = "model"
    SESSION = "session"
    PROJECT = "project"
    AGENT = "agent"
    ROLE = "role"
    KEY = "key"

    @property
    def step(self) -> Step | None:
        """The length of time, for those that are one."""
        return Step(self.value) if self.value in set(Step) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One group. `key` is None for calls that do not say (no session, no project)."""

    key: str | None
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """A model without a known price, and what was sent to it. Its dollars are missing from every total."""

    model: str
    calls: int
    tokens: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """Rows in time where grouped by time, else the dearest first; `total` is their sum."""

    by: By
    rows: tuple[Row, ...]
    total: Sums
    unpriced: tuple[Unpriced, ...]
    zone: str


_COLUMNS: Mapping[By, ColumnElement[Any]] = {
    By.MODEL: MODEL,
    By.SESSION: calls.c.session,
    By.PROJECT: PROJECT,
    By.AGENT: func.coalesce(calls.c.agent_type, calls.c.agent),
    By.ROLE: calls.c.role,
    By.KEY: calls.c.key,
}


def spend(engine: Engine, *, by: By = By.DAY, where: Filter | None = None, tz: ZoneInfo | None = None) -> Spend:
    """The calls that pass the filter, grouped. Days and weeks are those of the zone; None is the machine's own."""
    where = where or Filter()
    with engine.connect() as connection:
        rows = _by_time(connection, by.step, where, tz) if by.step else _by_column(connection, by, where)
        unpriced = _unpriced(connection, where)
    whole = sums.total(row.sums for row in rows)
    return Spend(by=by, rows=tuple(rows), total=whole, unpriced=unpriced, zone=tz.key if tz else "local")


def total(engine: Engine, where: Filter) -> Sums:
    """The sums of all calls that pass the filter."""
    query = select(*sums.columns()).select_from(SOURCE).where(*where.conditions())
    with engine.connect() as connection:
        return sums.read(connection.execute(query).mappings().one())


def _by_time(connection: Connection, step: Step, where: Filter, tz: ZoneInfo | None) -> list[Row]:
    # The database groups by quarter hours, which need no calendar; the calendar is Python's.
    quarter = (calls.c.started_at // QUARTER).label("quarter")
    query = select(quarter, *sums.columns()).select_from(SOURCE).where(*where.conditions()).group_by("quarter")
    found: dict[str, Sums] = {}
    for row in connection.execute(query).mappings():
        name = label(int(row["quarter"]) * QUARTER, step, tz)
        found[name] = found.get(name, Sums()) + sums.read(row)
    return [Row(key=name, sums=found[name]) for name in sorted(found)]


def _by_column(connection: Connection, by: By, where: Filter) -> list[Row]:
    key = _COLUMNS[by].label("group_key")
    query = select(key, *sums.columns()).select_from(SOURCE).where(*where.conditions()).group_by("group_key")
    rows = [Row(key=row["group_key"], sums=sums.read(row)) for row in connection.execute(query).mappings()]
    return sorted(rows, key=lambda row: (-row.sums.paid, -row.sums.calls, row.key or ""))


def _unpriced(connection: Connection, where: Filter) -> tuple[Unpriced, ...]:
    counted = [func.count(calls.c.id).label("calls"), *(func.sum(calls.c[name]).label(name) for name in LANE_TOKENS)]
    query = (
        select(calls.c.unpriced, *counted)
        .select_from(SOURCE)
        .where(*where.conditions(), and_(calls.c.unpriced.is_not(None), calls.c.unpriced != ""))
        .group_by(calls.c.unpriced)
    )
    found: dict[str, Unpriced] = {}
    for row in connection.execute(query).mappings():
        tokens = Usage(*(int(row[name] or 0) for name in LANE_TOKENS))
        for model in str(row["unpriced"]).split(", "):
            known = found.get(model, Unpriced(model=model, calls=0, tokens=Usage()))
            found[model] = replace(known, calls=known.calls + row["calls"], tokens=known.tokens + tokens)
    return tuple(sorted(found.values(), key=lambda each: (-each.calls, each.model)))

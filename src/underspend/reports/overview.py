"""The numbers of the first page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select

from underspend.reports import spend, top
from underspend.reports.entry import Entry
from underspend.reports.filters import Filter
from underspend.reports.periods import Span, Step, clock_time, current, days, previous, starts
from underspend.reports.recent import recent
from underspend.reports.spend import By, Spend
from underspend.reports.sums import Sums
from underspend.reports.top import Session
from underspend.stores.schema import calls

WINDOW_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A day, week or month so far, and the same stretch of the one before."""

    step: Step
    now: Sums
    before: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """`daily` has one entry for each day of `window`, the empty ones too; `empty` is True for a ledger without calls.

    `window` is the filter's time, else the last 30 days. `periods` follow the filter but for its time.
    """

    empty: bool
    window: Span
    periods: tuple[Period, ...]
    daily: tuple[tuple[date, Sums], ...]
    models: Spend
    projects: Spend
    sessions: tuple[Session, ...]
    latest: tuple[Entry, ...]


def overview(engine: Engine, *, now: int, where: Filter | None = None, tz: ZoneInfo | None = None) -> Overview:
    """The page's numbers at an instant (µs since the epoch) in a zone; None is the machine's own."""
    where = where or Filter()
    window = window_of(where, now, tz)
    inside = replace(where, since=window.since, until=window.until)
    by_day = {row.key: row.sums for row in spend.spend(engine, by=By.DAY, where=inside, tz=tz).rows}
    return Overview(
        empty=_empty(engine),
        window=window,
        periods=tuple(_period(engine, step, where, now, tz) for step in (Step.DAY, Step.WEEK, Step.MONTH)),
        daily=tuple((day, by_day.get(day.isoformat(), Sums())) for day in days(window, tz)),
        models=spend.spend(engine, by=By.MODEL, where=inside, tz=tz),
        projects=spend.spend(engine, by=By.PROJECT, where=inside, tz=tz),
        sessions=top.costliest_sessions(engine, where=inside, limit=8),
        latest=recent(engine, where=inside, limit=12),
    )


def window_of(where: Filter, now: int, tz: ZoneInfo | None) -> Span:
    """The time a page looks at: the filter's, else whole days up to and with today."""
    today = clock_time(now, tz).date()
    until = now + 1 if where.until is None else where.until
    since = where.since
    if since is None:
        last = clock_time(max(0, until - 1), tz).date() if where.until is not None else today
        since = starts(date.fromordinal(last.toordinal() - WINDOW_DAYS + 1), tz)
    return Span(since, max(since, until))


def _period(engine: Engine, step: Step, where: Filter, now: int, tz: ZoneInfo | None) -> Period:
    here, there = current(step, now, tz), previous(step, now, tz)
    return Period(
        step=step,
        now=spend.total(engine, replace(where, since=here.since, until=now + 1)),
        before=spend.total(engine, replace(where, since=there.since, until=there.until)),
    )


def _empty(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.execute(select(calls.c.id).limit(1)).first() is None

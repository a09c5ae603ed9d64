"""The ledger opened for a command that only reads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from underspend.config import Settings, load
from underspend.core.errors import StoreError
from underspend.reports.filters import Filter
from underspend.reports.periods import parse, zone

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A ledger, the settings, the zone to show times in (None is the machine's) and the present in µs."""

    engine: Engine
    settings: Settings
    tz: ZoneInfo | None
    now: int


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


@contextmanager
def reading(timezone: str | None = None) -> Iterator[Reading]:
    """Opens the ledger named by the settings; one that does not exist yet reads as empty and is not made.

    Raises ConfigError for an unknown zone, StoreError for a ledger that cannot be used.
    """
    from sqlalchemy.exc import DatabaseError

    settings = load()
    tz = zone(timezone or settings.report.timezone or None)
    engine = _open(settings.ledger.url)
    try:
        yield Reading(engine=engine, settings=settings, tz=tz, now=now())
    except DatabaseError as error:
        raise StoreError(path=engine.url, problem=str(error.orig)) from error
    finally:
        engine.dispose()


def _open(url: str) -> Engine:
    from pathlib import Path

    from sqlalchemy import make_url

    from underspend.stores.database import open_database

    file = make_url(url).database if url.startswith("sqlite") else None
    missing = file not in (None, "", ":memory:") and not Path(str(file)).exists()
    return open_database("sqlite://" if missing else url)


def chosen(  # noqa: PLR0913  # one for each option of `output.filters`
    ledger: Reading,
    *,
    since: str | None,
    until: str | None,
    project: str | None,
    model: str | None,
    session: str | None,
) -> Filter:
    """The filter that the options of `output.filters` ask for. Raises click.BadParameter for a time that is none."""
    return Filter(
        since=_instant(ledger, since, "--since", end=False),
        until=_instant(ledger, until, "--until", end=True),
        project=project,
        model=model,
        session=session,
    )


def _instant(ledger: Reading, text: str | None, option: str, *, end: bool) -> int | None:
    if text is None:
        return None
    try:
        return parse(text, now=ledger.now, tz=ledger.tz, end=end)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None

"""What every audit asks of Underspend's own ledger, without the seconds that opening it in earnest takes.

A SQLite ledger is looked at with Python's own `sqlite3`; to import SQLAlchemy takes longer than a whole audit of which
everything is kept. Nothing is written, and what cannot be read is not there.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from underspend.audit.gateway_side import Seen

_SQLITE = "sqlite:///"
# Ids of rows from transcripts begin with t and those of the gateway's calls with none such: so the few calls of a
# gateway are found among many transcripts' by the index of the ids, not by that of times (hence the plus signs).
_CALLS = """
SELECT calls.message_id, calls.request_id, calls.started_at, calls.ended_at, calls.cost_pico, calls.role, calls.outcome,
    calls.session, COALESCE(calls.project, sessions.project), sessions.directory,
    COALESCE(calls.model_served, calls.model_sent, calls.model_asked), calls.evidence
FROM calls LEFT JOIN sessions ON sessions.session = calls.session
WHERE (calls.id < 't' OR calls.id >= 'u') AND calls.endpoint <> 'transcript' AND calls.state <> 'open'
    AND +calls.started_at >= :since AND +calls.started_at < :until
"""
_BILLING = "SELECT DISTINCT billing FROM calls WHERE endpoint <> 'transcript' AND billing IS NOT NULL"


def identity(url: str) -> str:
    """Which ledger this is: another text if it is made anew; empty where there is none yet."""
    file = _file(url)
    if file is None:
        return url
    try:
        state = os.stat(file)  # noqa: PTH116  (as for `Path`, without a detour)
    except OSError:
        return ""
    return f"{url} {state.st_dev} {state.st_ino}"


def is_sound(url: str) -> bool:
    """Whether the ledger can be looked at; one that is not there yet can be made."""
    return _file(url) is not None and (not identity(url) or _rows(url, "SELECT 1 FROM calls LIMIT 1") is not None)


def billing(url: str) -> Iterator[str]:
    """How the gateway saw calls being paid."""
    if _file(url) is not None:
        yield from (str(row[0]) for row in _rows(url, _BILLING) or ())
        return
    from underspend.audit.ledger_join import paid_by
    from underspend.stores.database import open_database

    engine = open_database(url)
    try:
        yield from paid_by(engine)
    finally:
        engine.dispose()


def gateway_calls(url: str, since: int, until: int) -> list[Seen]:
    """The calls that the gateway saw begin in a stretch of time (µs, `until` excluded) and end, oldest first.

    Raises StoreError where a database that is no file cannot be reached.
    """
    period = {"since": since, "until": until}
    if _file(url) is not None:
        return _in_time(_rows(url, _CALLS, period) or ())
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    from underspend.core.errors import StoreError
    from underspend.stores.database import open_database

    engine = open_database(url)
    try:
        with engine.connect() as connection:
            return _in_time(connection.execute(text(_CALLS), period))
    except SQLAlchemyError as error:
        raise StoreError(path=engine.url, problem=type(error).__name__) from error
    finally:
        engine.dispose()


def _in_time(rows: Iterable[Any]) -> list[Seen]:
    from underspend.audit.gateway_side import Seen

    return sorted(map(Seen._make, rows), key=lambda each: (each.started_at, each.message_id or ""))


def _rows(url: str, query: str, values: Mapping[str, int] | None = None) -> list[Any] | None:
    file = _file(url)
    if file is None or not file.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            return connection.execute(query, values or {}).fetchall()
    except sqlite3.Error:
        return None


def _file(url: str) -> Path | None:
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None

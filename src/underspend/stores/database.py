"""Opening a database at the right schema: migrate what is older, refuse what is newer, say what is locked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from underspend.core.errors import StoreError, StoreLockedError, StoreNewerError
from underspend.stores.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_MIGRATIONS = Path(__file__).parent / "migrations"
_CHECKPOINT_PAGES = 4_000  # 16 MB: a page that many calls touch is copied to the database once, not every few calls
_KNOWN_VERSIONS = tuple(sorted(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")))


def sqlite_url(path: Path) -> str:
    """The SQLAlchemy URL of a SQLite file."""
    return f"sqlite:///{path}"


def open_database(url: str, *, power_safe: bool = False, busy_ms: int = 5_000) -> Engine:
    """An engine on a database whose schema is this version's.

    With `power_safe` a SQLite commit survives the loss of power, not only of the process (slower). Raises
    StoreLockedError, StoreNewerError, or StoreError for anything that is no ledger.
    """
    try:
        engine = create_engine(url)
    except (ArgumentError, ImportError) as error:
        raise StoreError(path=_without_secrets(url), problem=f"no database is known by that URL ({error})") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _pragmas("FULL" if power_safe else "NORMAL", busy_ms))
    try:
        with engine.begin() as connection:
            _bring_to_version(connection, str(engine.url))
    except OperationalError as error:
        engine.dispose()
        raise _explained(error, str(engine.url)) from error
    except DatabaseError as error:
        engine.dispose()
        raise StoreError(path=engine.url, problem=f"it is not a ledger ({error.orig})") from error
    return engine


def _without_secrets(url: str) -> str:
    return re.sub(r"://[^@/]*@", "://***@", url)


def _pragmas(synchronous: str, busy_ms: int) -> Callable[[DBAPIConnection, ConnectionPoolEntry], None]:
    def connected(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={busy_ms}",
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return connected


def _bring_to_version(connection: Connection, path: str) -> None:
    found = None
    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found == SCHEMA_VERSION:
        return
    if found is not None and found not in _KNOWN_VERSIONS:
        raise StoreNewerError(path=path, found=found, known=SCHEMA_VERSION)
    _migrate(connection)


def _migrate(connection: Connection) -> None:
    # Alembic takes longer to import than the rest of the gateway to start, and is needed once per release.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _explained(error: OperationalError, path: str) -> StoreError:
    problem = str(error.orig)
    if "locked" in problem or "busy" in problem:
        return StoreLockedError(path=path)
    return StoreError(path=path, problem=problem)

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from underspend.core.errors import StoreError, StoreLockedError, StoreNewerError
from underspend.stores.database import open_database, sqlite_url
from underspend.stores.schema import SCHEMA_VERSION, metadata


def test_migrated_from_nothing_it_is_the_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == SCHEMA_VERSION


def test_opened_again_it_is_left_as_it_is(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO sessions VALUES ('s', 'p', 'd')"))
    again = open_database(sqlite_url(tmp_path / "ledger.sqlite3"))
    with again.connect() as connection:
        assert connection.execute(text("SELECT project FROM sessions")).scalar() == "p"
    again.dispose()


def test_a_newer_schema_is_refused(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreNewerError, match=f"schema 9999, this one knows {SCHEMA_VERSION}"):
        open_database(sqlite_url(tmp_path / "ledger.sqlite3"))


def test_a_locked_database_is_said(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreLockedError, match="locked by another program"):
            open_database(sqlite_url(file), busy_ms=10)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"my diary, not a database" * 40)
    with pytest.raises(StoreError, match="not a ledger"):
        open_database(sqlite_url(tmp_path / "x"))
    with pytest.raises(StoreError, match="unable to open"):
        open_database(sqlite_url(tmp_path / "no" / "such" / "folder"))


@pytest.mark.parametrize("url", ["ledger.db", "nonsense://x", "mysql+nodriver://ann:secret@host/x", ""])
def test_a_url_that_means_nothing_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_database(url)
    assert "cannot be used" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("power_safe", "level"), [(True, 2), (False, 1)])
def test_durability_is_what_was_asked_for(tmp_path: Path, level: int, *, power_safe: bool) -> None:
    engine = open_database(sqlite_url(tmp_path / "x"), power_safe=power_safe)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == level
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    engine.dispose()

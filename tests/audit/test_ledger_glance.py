import pytest

from reports.ledger_rows import add_call, new_ledger
from underspend.audit.ledger_glance import billing, identity, is_sound
from underspend.stores.database import sqlite_url


@pytest.fixture
def ledger(tmp_path):
    engine = new_ledger(tmp_path)
    yield engine
    engine.dispose()


def url(engine):
    return str(engine.url)


def test_how_calls_were_paid(ledger):
    add_call(ledger, "c1", 1, billing="oauth")
    add_call(ledger, "c2", 2, billing="api_key", endpoint="transcript")
    assert list(billing(url(ledger))) == ["oauth"]
    assert is_sound(url(ledger))


def test_a_ledger_that_is_made_anew_is_another(ledger, tmp_path):
    first = identity(url(ledger))
    assert first == identity(url(ledger)) != ""
    assert identity(sqlite_url(tmp_path / "none.sqlite3")) == ""
    assert identity("postgresql://host/db") == "postgresql://host/db"


def test_what_is_no_ledger_says_nothing(tmp_path):
    file = tmp_path / "x.sqlite3"
    assert is_sound(sqlite_url(file))
    assert list(billing(sqlite_url(file))) == []
    file.write_text("no ledger")
    assert not is_sound(sqlite_url(file))
    assert list(billing(sqlite_url(file))) == []
    assert not is_sound("postgresql://host/db")


def test_other_databases_are_opened_in_earnest(ledger):
    add_call(ledger, "c1", 1, billing="oauth")
    other = url(ledger).replace("sqlite:///", "sqlite+pysqlite:///")
    assert list(billing(other)) == ["oauth"]

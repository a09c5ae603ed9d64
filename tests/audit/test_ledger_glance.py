import pytest
from sqlalchemy import insert, text

from reports.ledger_rows import add_call, new_ledger
from underspend.audit.ledger_glance import billing, gateway_calls, identity, is_sound
from underspend.core.errors import StoreError
from underspend.stores.database import sqlite_url
from underspend.stores.schema import sessions


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


def test_the_calls_of_the_gateway(ledger):
    add_call(ledger, "00ff", 10, (1, 0, 0, 0, 0), message_id="m", request_id="r", project=None)
    add_call(ledger, "before", 9)
    add_call(ledger, "after", 20)
    add_call(ledger, "open", 11, state="open")
    add_call(ledger, "t0123", 12, endpoint="transcript")
    add_call(ledger, "uvw", 13, session=None, model_served=None)
    with ledger.begin() as connection:
        connection.execute(insert(sessions).values(session="s-one", project="blog", directory="/b"))
    one, other = gateway_calls(url(ledger), 10, 20)
    assert (one.message_id, one.request_id, one.started_at, one.cost) == ("m", "r", 10, 3_000_000)
    assert (one.session, one.project, one.directory, one.role, one.outcome) == ("s-one", "blog", "/b", "main", "ok")
    assert (other.session, other.project, other.directory, other.model) == (None, "shop", None, "claude-sonnet-5")


def test_a_ledger_that_is_no_sqlite_file_is_asked_the_same(ledger, monkeypatch):
    add_call(ledger, "00ff", 10, message_id="m")
    monkeypatch.setattr("underspend.audit.ledger_glance._file", lambda _: None)
    assert [each.message_id for each in gateway_calls(url(ledger), 0, 20)] == ["m"]


def test_where_there_is_no_ledger_there_are_no_calls(tmp_path):
    assert gateway_calls(sqlite_url(tmp_path / "none.sqlite3"), 0, 20) == []


def test_a_database_that_fails_is_told_of_as_a_store(ledger, monkeypatch):
    monkeypatch.setattr("underspend.audit.ledger_glance._file", lambda _: None)
    with ledger.begin() as connection:
        connection.execute(text("DROP TABLE sessions"))
    with pytest.raises(StoreError):
        gateway_calls(url(ledger), 0, 20)

import pytest
from sqlalchemy import insert

from underspend.reports.attempts import attempts_of
from underspend.stores.database import open_database, sqlite_url
from underspend.stores.schema import calls


def row(name, at, **more):
    said = {"id": name, "started_at": at, "state": "settled", "endpoint": "messages", "provider": "anthropic"}
    return {**said, "upstream": "api", "attempt_of": None, "cost_pico": 0, "status": 529, "outcome": "error", **more}


@pytest.fixture
def engine(tmp_path):
    made = open_database(sqlite_url(tmp_path / "ledger.sqlite3"))
    rows = [
        row("a", 10),
        row("z", 10, attempt_of="a", provider="openai"),
        row("b", 20, attempt_of="a", provider="google", outcome="ok", status=200, cost_pico=7),
        row("alone", 5, outcome="ok", status=200),
    ]
    with made.begin() as connection:
        connection.execute(insert(calls), rows)
    yield made
    made.dispose()


@pytest.mark.parametrize(("call", "of"), [("a", None), ("b", "a"), ("z", "a")])
def test_every_attempt_of_a_call_in_order_from_whichever_is_asked(engine, call, of):
    found = attempts_of(engine, call, of)
    assert [(each.id, each.provider, each.status, each.paid) for each in found] == [
        ("a", "anthropic", 529, 0),
        ("z", "openai", 529, 0),
        ("b", "google", 200, 7),
    ]


def test_a_call_that_was_sent_once_has_none_to_tell_of(engine):
    assert attempts_of(engine, "alone", None) == ()

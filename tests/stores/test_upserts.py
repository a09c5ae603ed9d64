import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, select
from sqlalchemy.dialects import postgresql

from underspend.stores.upserts import Upserts

THINGS = Table(
    "things", MetaData(), Column("id", Integer, primary_key=True), Column("a", Text), Column("born", Integer)
)


@pytest.fixture
def connection():
    engine = create_engine("sqlite://")
    with engine.begin() as made:
        THINGS.create(made)
        yield made
    engine.dispose()


def held(connection):
    return [tuple(row) for row in connection.execute(select(THINGS).order_by(THINGS.c.id))]


def test_inserts_leave_what_is_there(connection):
    upserts = Upserts()
    upserts.insert(connection, THINGS, [{"id": 1, "a": "x", "born": 1}])
    upserts.insert(connection, THINGS, [{"id": 1, "a": "y", "born": 2}, {"id": 2, "a": "z", "born": 2}])
    assert held(connection) == [(1, "x", 1), (2, "z", 2)]


def test_replacements_overwrite_all_but_what_is_kept(connection):
    upserts = Upserts(kept=frozenset({"born"}))
    for born, a in ((1, "x"), (2, None)):
        upserts.replace(connection, THINGS, [{"a": a, "id": 1, "born": born}])
    assert held(connection) == [(1, None, 1)]


def test_deletes_by_a_column(connection):
    upserts = Upserts()
    upserts.insert(connection, THINGS, [{"id": n, "a": str(n % 2), "born": n} for n in range(6)])
    upserts.delete(connection, THINGS, "a", ["1"])
    upserts.delete(connection, THINGS, "id", [])
    assert [row[0] for row in held(connection)] == [0, 2, 4]


def test_rows_of_other_columns_get_a_statement_of_their_own(connection):
    upserts = Upserts()
    upserts.replace(connection, THINGS, [{"id": 1, "a": "x"}])
    upserts.replace(connection, THINGS, [{"id": 1, "born": 5}])
    assert held(connection) == [(1, "x", 5)]


def test_nothing_is_no_statement(connection):
    Upserts().insert(connection, THINGS, [])
    Upserts().replace(connection, THINGS, [])


def test_the_other_dialect_is_written_in_its_own_words():
    class Connection:
        dialect = postgresql.dialect()
        ran = None

        def exec_driver_sql(self, sql, rows):
            self.ran = (sql, rows)

    made = Connection()
    Upserts().replace(made, THINGS, [{"id": 1, "a": "x"}])
    sql, rows = made.ran
    assert "ON CONFLICT (id) DO UPDATE SET a = excluded.a" in sql
    assert rows == [{"id": 1, "a": "x"}]

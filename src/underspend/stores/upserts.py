"""Statements for many rows, made into SQL once: building them anew costs more than running them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Prepared:
    sql: str
    names: tuple[str, ...] | None

    def run(self, connection: Connection, rows: Rows) -> None:
        if self.names is None:
            connection.exec_driver_sql(self.sql, [dict(row) for row in rows])
        else:
            connection.exec_driver_sql(self.sql, [tuple([row[name] for name in self.names]) for row in rows])


class Upserts:
    """Inserts, replaces and deletes rows by primary key. All rows of one call must have the same columns.

    `kept` names columns that a replacement leaves as they are.
    """

    def __init__(self, *, kept: frozenset[str] = frozenset()) -> None:
        self._kept = kept
        self._prepared: dict[tuple[object, ...], _Prepared] = {}

    def insert(self, connection: Connection, table: Table, rows: Rows) -> None:
        """Add rows; one whose key is there already stays as it is."""
        if rows:
            self._get(connection, table, tuple(rows[0]), replace=False).run(connection, rows)

    def replace(self, connection: Connection, table: Table, rows: Rows) -> None:
        """Add rows; one whose key is there already is overwritten."""
        if rows:
            self._get(connection, table, tuple(rows[0]), replace=True).run(connection, rows)

    def delete(self, connection: Connection, table: Table, column: str, values: Sequence[Any]) -> None:
        """Remove the rows whose column has one of the values."""
        key = (connection.dialect.name, table.name, column)
        made = self._prepared.get(key)
        if made is None:
            statement = delete(table).where(table.c[column] == bindparam(column))
            made = self._prepared[key] = _compiled(statement.compile(dialect=connection.dialect))
        if values:
            made.run(connection, [{column: value} for value in values])

    def _get(self, connection: Connection, table: Table, columns: tuple[str, ...], *, replace: bool) -> _Prepared:
        key = (connection.dialect.name, table.name, replace, columns)
        made = self._prepared.get(key)
        if made is None:
            made = self._prepared[key] = self._prepare(connection, table, columns, replace=replace)
        return made

    def _prepare(self, connection: Connection, table: Table, columns: tuple[str, ...], *, replace: bool) -> _Prepared:
        statement = _dialect(connection).insert(table)
        if replace:
            keys = [column.name for column in table.primary_key]
            new = statement.excluded
            changed = {name: new[name] for name in columns if name not in self._kept.union(keys)}
            statement = statement.on_conflict_do_update(index_elements=keys, set_=changed)
        else:
            statement = statement.on_conflict_do_nothing()
        return _compiled(statement.compile(dialect=connection.dialect, column_keys=list(columns)))


def _compiled(compiled: Any) -> _Prepared:
    return _Prepared(str(compiled), tuple(compiled.positiontup) if compiled.positional else None)


def _dialect(connection: Connection) -> Any:
    # The one place where dialects differ: upserts, which both spell the same way in different modules.
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql
    from sqlalchemy.dialects import sqlite

    return sqlite

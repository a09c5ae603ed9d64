"""Settlements → rows, written so that writing them again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete

from underspend.core.call import Block
from underspend.core.ports import Row, Settlement, Value
from underspend.formats.anthropic_blocks import Anatomist
from underspend.stores import schema

Rows = Sequence[Mapping[str, Any]]
_KEPT = frozenset({"started_at"})  # a batch's results may be fetched again: they stay where they were


def add_calls(connection: Connection, rows: Rows) -> None:
    """Intents: a call that is known already stays as it is."""
    _insert(connection, schema.calls, _even(schema.calls, rows))


def write(connection: Connection, settlements: Sequence[Settlement], anatomist: Anatomist) -> None:
    """Ends of calls: they replace the intent and anything written for the same call before."""
    anatomies = [_with_anatomy(settlement, anatomist) for settlement in settlements]
    _replace(connection, schema.calls, _even(schema.calls, [call for call, _, _ in anatomies]))
    _forget_parts(connection, [item.call["id"] for item in settlements])
    _replace(connection, schema.bill_lines, [row for item in settlements for row in item.lines])
    _replace(connection, schema.decisions, [row for item in settlements for row in item.decisions])
    _insert(connection, schema.blocks, _distinct(blocks for _, blocks, _ in anatomies))
    _replace(connection, schema.prompts, [row for _, _, row in anatomies if row is not None])
    _replace(connection, schema.contents, [item.contents for item in settlements if item.contents is not None])


def add_session(connection: Connection, row: Row) -> None:
    """Where a session works; the first answer stays."""
    _insert(connection, schema.sessions, [row])


def _with_anatomy(settlement: Settlement, anatomist: Anatomist) -> tuple[Row, Sequence[Block], Row | None]:
    prompt = settlement.prompt
    if prompt is None:
        return settlement.call, (), None
    anatomy = anatomist.anatomy(tools=prompt.tools, system=prompt.system, messages=prompt.messages)
    call = settlement.call
    if call.get("turn") is None and anatomy.turn is not None:
        call = {**call, "turn": anatomy.turn}
    breakpoints = {index: block.breakpoint for index, block in enumerate(anatomy.blocks) if block.breakpoint}
    row: Row = {
        "call_id": call["id"],
        "digests": b"".join(block.digest for block in anatomy.blocks),
        "breakpoints": json.dumps(breakpoints),
    }
    return call, anatomy.blocks, row


def _distinct(groups: Any) -> list[Row]:
    seen: dict[bytes, Row] = {}
    for blocks in groups:
        for block in blocks:
            if block.digest not in seen:
                seen[block.digest] = {
                    "digest": block.digest,
                    "section": block.section.value,
                    "kind": block.kind[:48],
                    "label": block.label[:160],
                    "size": block.size,
                    "tokens": block.tokens,
                }
    return list(seen.values())


def _forget_parts(connection: Connection, ids: list[Value]) -> None:
    """A call that is settled again may have fewer lines than before."""
    for table in (schema.bill_lines, schema.decisions):
        connection.execute(delete(table).where(table.c.call_id.in_(ids)))


def _even(table: Table, rows: Rows) -> Rows:
    """The rows with the same columns each, as one statement for many rows wants them; the rest by default."""
    columns = {name for row in rows for name in row}
    absent = {name: None if table.c[name].server_default is None else 0 for name in columns}
    return [row if len(row) == len(columns) else {**absent, **row} for row in rows]


def _insert(connection: Connection, table: Table, rows: Rows) -> None:
    if rows:
        connection.execute(_dialect(connection).insert(table).on_conflict_do_nothing(), list(rows))


def _replace(connection: Connection, table: Table, rows: Rows) -> None:
    if not rows:
        return
    statement = _dialect(connection).insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in _KEPT.union(keys)}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))


def _dialect(connection: Connection) -> Any:
    # The one place where dialects differ: upserts, which both spell the same way in different modules.
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql
    from sqlalchemy.dialects import sqlite

    return sqlite

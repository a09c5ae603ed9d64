"""Settlements → rows, written so that writing them again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table

from underspend.core.call import Block
from underspend.core.ports import Row, Settlement
from underspend.formats.anthropic_blocks import Anatomist, Anatomy
from underspend.stores import schema
from underspend.stores.upserts import Upserts

Rows = Sequence[Mapping[str, Any]]
_KEPT = frozenset({"started_at"})  # a batch's results may be fetched again: they stay where they were
_REMEMBERED_BLOCKS = 200_000


class RowWriter:
    """Writes within transactions of the caller's, who says by `committed` that one has held.

    It remembers which blocks are in the database: a conversation brings the same thousands with every call.
    """

    def __init__(self) -> None:
        self._upserts = Upserts(kept=_KEPT)
        self._anatomist = Anatomist()
        self._known: set[bytes] = set()
        self._pending: set[bytes] = set()

    def add_calls(self, connection: Connection, rows: Rows) -> None:
        """Intents: a call that is known already stays as it is."""
        self._upserts.insert(connection, schema.calls, _even(schema.calls, rows))

    def add_session(self, connection: Connection, row: Row) -> None:
        """Where a session works; the first answer stays."""
        self._upserts.insert(connection, schema.sessions, [row])

    def write(self, connection: Connection, settlements: Sequence[Settlement]) -> None:
        """Ends of calls: they replace the intent and anything written for the same call before."""
        write = self._upserts
        anatomies = [self._with_anatomy(settlement) for settlement in settlements]
        ids = [item.call["id"] for item in settlements]
        write.replace(connection, schema.calls, _even(schema.calls, [call for call, _, _ in anatomies]))
        # A call that is settled again may have fewer lines than before.
        write.delete(connection, schema.bill_lines, "call_id", ids)
        write.delete(connection, schema.decisions, "call_id", ids)
        write.delete(connection, schema.effects, "call_id", ids)
        write.replace(connection, schema.bill_lines, [row for item in settlements for row in item.lines])
        write.replace(connection, schema.decisions, [row for item in settlements for row in item.decisions])
        write.replace(connection, schema.effects, [row for item in settlements for row in item.effects])
        write.replace(connection, schema.kept_edits, [row for item in settlements for row in item.kept])
        write.insert(connection, schema.blocks, self._new_blocks(blocks for _, blocks, _ in anatomies))
        write.replace(connection, schema.prompts, [row for _, _, row in anatomies if row is not None])
        kept = [item.contents for item in settlements if item.contents is not None]
        write.replace(connection, schema.contents, kept)

    def committed(self) -> None:
        """What was written since the last time is in the database."""
        if len(self._known) > _REMEMBERED_BLOCKS:
            self._known.clear()
        self._known |= self._pending
        self._pending.clear()

    def rolled_back(self) -> None:
        """What was written since the last time is not."""
        self._pending.clear()

    def _with_anatomy(self, settlement: Settlement) -> tuple[Row, Sequence[Block], Row | None]:
        prompt = settlement.prompt
        if prompt is None:
            return settlement.call, (), None
        if prompt.blocks is not None:
            anatomy = Anatomy(prompt.blocks, prompt.turn)
        else:
            anatomy = self._anatomist.anatomy(tools=prompt.tools, system=prompt.system, messages=prompt.messages)
        call = settlement.call
        if call.get("turn") is None and anatomy.turn is not None:
            call = {**call, "turn": anatomy.turn}
        breakpoints = {index: block.breakpoint for index, block in enumerate(anatomy.blocks) if block.breakpoint}
        row: Row = {
            "call_id": call["id"],
            "digests": b"".join([block.digest for block in anatomy.blocks]),
            "breakpoints": json.dumps(breakpoints),
        }
        return call, anatomy.blocks, row

    def _new_blocks(self, groups: Iterable[Sequence[Block]]) -> list[Row]:
        made: list[Row] = []
        for blocks in groups:
            for block in blocks:
                if block.digest not in self._known and block.digest not in self._pending:
                    self._pending.add(block.digest)
                    made.append(_block_row(block))
        return made


def _block_row(block: Block) -> Row:
    return {
        "digest": block.digest,
        "section": block.section.value,
        "kind": block.kind[:48],
        "label": block.label[:160],
        "size": block.size,
        "tokens": block.tokens,
    }


def _even(table: Table, rows: Rows) -> Rows:
    """The rows with the same columns each, as one statement for many rows wants them; the rest by default."""
    columns = frozenset([name for row in rows for name in row])
    if all(len(row) == len(columns) for row in rows):
        return rows
    absent = _absent(table, columns)
    return [{**absent, **row} for row in rows]


@lru_cache(maxsize=64)
def _absent(table: Table, columns: frozenset[str]) -> dict[str, int | None]:
    return {name: None if table.c[name].server_default is None else 0 for name in sorted(columns)}

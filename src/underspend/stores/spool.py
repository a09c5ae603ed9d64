"""Where records wait while the database cannot be written: a file first, memory when that fails too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from underspend.core.ports import Row, Settlement

Kind: TypeAlias = Literal["call", "settlement", "session"]
Record: TypeAlias = tuple[Kind, Row | Settlement]

_encode = msgspec.json.Encoder().encode


class Spool:
    """Keeps records in order and gives them back. Parts of a prompt are not spooled: they are text of the user's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._memory: list[Record] = []
        self._in_file = _lines(path)

    @property
    def waiting(self) -> int:
        """How many records wait."""
        return self._in_file + len(self._memory)

    @property
    def in_memory(self) -> bool:
        """Whether any record waits where a crash would lose it."""
        return bool(self._memory)

    def put(self, records: list[Record]) -> None:
        """Keep the records: in the file, or in memory where it cannot be written."""
        records = [*self._memory, *(_bare(record) for record in records)]
        self._memory = []
        try:
            with self._path.open("ab") as file:
                file.write(b"".join(_encode(_plain(record)) + b"\n" for record in records))
            self._in_file += len(records)
        except OSError:
            self._memory = records

    def drain(self, write: Callable[[list[Record]], None]) -> None:
        """Give every record to `write`, then forget them. What `write` raises is passed on and nothing is forgotten."""
        if not self.waiting:
            return
        write([*self._from_file(), *self._memory])
        self._memory = []
        if self._in_file:
            self._path.unlink(missing_ok=True)
            self._in_file = 0

    def _from_file(self) -> list[Record]:
        if not self._in_file or not self._path.exists():
            return []
        records: list[Record] = []
        for line in self._path.read_bytes().splitlines():
            try:
                records.append(_record(msgspec.json.decode(line)))
            except (msgspec.DecodeError, KeyError, TypeError):
                continue  # the half line of a crash: its call was never forwarded, or is settled at start as open
        return records


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _bare(record: Record) -> Record:
    kind, value = record
    if isinstance(value, Settlement):
        return kind, Settlement(call=value.call, lines=value.lines, decisions=value.decisions)
    return kind, value


def _plain(record: Record) -> dict[str, object]:
    kind, value = record
    if isinstance(value, Settlement):
        return {"kind": kind, "call": value.call, "lines": value.lines, "decisions": value.decisions}
    return {"kind": kind, "call": value}


def _record(plain: dict[str, object]) -> Record:
    kind = plain["kind"]
    if kind == "settlement":
        return "settlement", msgspec.convert({name: plain[name] for name in ("call", "lines", "decisions")}, Settlement)
    row = msgspec.convert(plain["call"], dict[str, str | int | bool | None])
    return ("session" if kind == "session" else "call"), row

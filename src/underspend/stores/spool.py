"""Where records wait while the database cannot be written: a file first, memory when that fails too."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from underspend.core.ports import Row, Settlement

Kind: TypeAlias = Literal["call", "settlement", "session"]
Record: TypeAlias = tuple[Kind, Row | Settlement]


class Spool:
    """Keeps records in order and gives them back. Parts of a prompt are not spooled: they are text of the user's.

    What the database will never take is put aside in `<spool>.rejected`, one record to a line, with the reason.
    """

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
        try:
            _append(self._path, [line_of(record) for record in records])
            self._in_file += len(records)
            self._memory = []
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

    def reject(self, record: Record, reason: str) -> None:
        """Put aside a record that would block the others. Raises OSError when that cannot be written."""
        aside = self._path.with_name(f"{self._path.name}.rejected")
        _append(aside, [_encode({"reason": reason, **_plain(record)}) + b"\n"])

    def _from_file(self) -> list[Record]:
        return read_lines(self._path) if self._in_file else []


def line_of(record: Record) -> bytes:
    """A record as one line of a file, without the parts of a prompt."""
    plain = _plain(record)
    try:
        return msgspec.json.encode(plain) + b"\n"
    except (TypeError, ValueError, OverflowError):
        return _encode(plain) + b"\n"


def read_lines(path: Path) -> list[Record]:
    """The records of a file of lines; none where there is no file."""
    if not path.is_file():
        return []
    records: list[Record] = []
    for line in path.read_bytes().splitlines():
        try:
            records.append(_record(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            continue  # the half line of a crash: its call was never forwarded, or is settled at start as open
    return records


def _lines(path: Path) -> int:
    return len(path.read_bytes().splitlines()) if path.is_file() else 0


def _append(path: Path, lines: list[bytes]) -> None:
    """Add whole lines. A half line that a crash or a full disk left at the end stays one of its own."""
    with path.open("ab+") as file:
        torn = file.tell() > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
        file.write(b"\n" * torn + b"".join(lines))


def _encode(value: object) -> bytes:
    """JSON that takes whatever a row may hold: numbers of any size, and halves of surrogate pairs."""
    return json.dumps(value, default=str, separators=(",", ":")).encode()


def _bare(record: Record) -> Record:
    kind, value = record
    if isinstance(value, Settlement):
        return kind, replace(value, prompt=None, contents=None)
    return kind, value


def _plain(record: Record) -> dict[str, object]:
    kind, value = record
    if isinstance(value, Settlement):
        rest = {"lines": value.lines, "decisions": value.decisions, "effects": value.effects, "kept": value.kept}
        return {"kind": kind, "call": value.call, **rest}
    return {"kind": kind, "call": value}


def _record(plain: dict[str, Any]) -> Record:
    kind, call = plain["kind"], plain["call"]
    if kind == "settlement":
        effects, kept = plain.get("effects") or (), plain.get("kept") or ()
        lines, decisions = plain["lines"], plain["decisions"]
        return "settlement", Settlement(call=call, lines=lines, decisions=decisions, effects=effects, kept=kept)
    return ("session" if kind == "session" else "call"), dict(call)

"""A transcript's bytes → its entries, one by one, losing no more than the piece that is broken.

Entries stand one to a line, but not always: two writers glue them, a crash leaves half of one before the next, a line
may end a file that is still being written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from underspend.readers.claude_code.shapes import FAILED, Line, decode_line, line_of

_BOM = b"\xef\xbb\xbf"
_BUFFER = 1 << 20
_START = re.compile(
    r'\{"(?:parentUuid|type|sessionId|isSidechain|uuid|message|timestamp|leafUuid|messageId|cwd|agentId|userType)"'
)
_WITHOUT_SESSION = {"summary", "file-history-snapshot"}
_scan = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class Broken:
    """A piece of a line that is no entry."""

    why: str


def entries(stream: BinaryIO) -> Iterator[tuple[int, Line | Broken]]:
    """Every entry with its line number (from 1), and in their place what could not be read."""
    for number, raw in enumerate(stream, start=1):
        if number == 1 and raw.startswith(_BOM):
            raw = raw.removeprefix(_BOM)  # noqa: PLW2901  (the same line without its mark)
        # Nearly all lines are one entry: what else they may be is looked for only where they are not.
        try:
            entry: Line | None = decode_line(raw)
        except FAILED:
            entry = None
        if entry is not None:
            yield number, entry
            continue
        try:
            yield number, line_of(raw)
        except msgspec.DecodeError:
            for piece in _apart(raw):
                yield number, piece


def _apart(raw: bytes) -> Iterator[Line | Broken]:
    """What a line that is not one object holds."""
    if not raw.strip(b" \t\r\n\0"):
        if b"\0" in raw:
            yield Broken("a run of zero bytes")
        return
    text = raw.decode("utf-8", "replace")
    position, clean, found = 0, 0, 0
    while (start := _next_start(text, position)) is not None:
        piece, position = _piece_at(text, start)
        if piece is None:
            continue
        if text[clean:start].strip("\0 \t\r\n"):
            yield Broken("a broken piece before another entry")
        clean = position
        found += 1
        yield piece
    if text[clean:].strip("\0 \t\r\n"):
        yield Broken(_reason(raw, found))


_BLANK = re.compile(r"[\0 \t\r\n]*")


def _next_start(text: str, position: int) -> int | None:
    """Where an entry may begin: right here, or at the next first key that entries have."""
    here = _BLANK.match(text, position)
    if here is not None and text.startswith("{", here.end()) and (position == 0 or text[position - 1] == "}"):
        return here.end()
    found = _START.search(text, position)
    return None if found is None else found.start()


def _reason(raw: bytes, found: int) -> str:
    if not raw.endswith(b"\n"):
        return "the last line is not finished"
    return "a broken piece after another entry" if found else "not a JSON object"


def _piece_at(text: str, start: int) -> tuple[Line | None, int]:
    """The entry that begins here, if one does, and where to look on."""
    try:
        value, end = _scan(text, start)
    except (ValueError, RecursionError):
        return None, start + 1
    # An inner object of a broken entry is no entry: those name their session, or have no more than a summary.
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return None, end
    if value["type"] not in _WITHOUT_SESSION and value.keys().isdisjoint({"sessionId", "parentUuid"}):
        return None, end
    try:
        return line_of(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")), end
    except msgspec.DecodeError:
        return None, end

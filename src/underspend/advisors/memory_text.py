"""A CLAUDE.md file taken apart: its lines, what of them is sent, and its sections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

TOP = "(top)"
"""The name of what stands before the first heading."""

_HEADING = re.compile(r" {0,3}#{1,6}\s+(\S.*)")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `fenced` within a code block, `hidden` in an HTML comment of its own, which clients leave out."""

    number: int
    text: str
    section: str
    fenced: bool = False
    hidden: bool = False
    heading: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what follows up to the next one."""

    title: str
    rows: Sequence[Row]

    @property
    def body(self) -> Sequence[Row]:
        """Its lines without the heading and without what is hidden."""
        return [row for row in self.rows if not row.heading and not row.hidden]

    @property
    def sent_bytes(self) -> int:
        """The bytes of it that get into a prompt."""
        return sum(sent_bytes(row) for row in self.rows)


def sent_bytes(row: Row) -> int:
    """The bytes of a line that get into a prompt, its line end included."""
    return 0 if row.hidden else len(row.text.encode("utf-8", "surrogatepass")) + 1


def rows_of(text: str) -> list[Row]:
    """The lines of a text, as editors number them; an empty text has none."""
    if not text:
        return []
    return _Reader([line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]).read()


def sections_of(rows: Sequence[Row]) -> list[Section]:
    """The sections in order; what stands before the first heading is one of its own."""
    starts = [index for index, row in enumerate(rows) if row.heading]
    if not starts or starts[0]:
        starts.insert(0, 0)
    ends = [*starts[1:], len(rows)]
    return [Section(rows[a].section, rows[a:b]) for a, b in zip(starts, ends, strict=True) if b > a]


class _Reader:
    """Goes through lines once, knowing whether it is in a code block or a comment."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._last_close = max((index for index, line in enumerate(lines) if "-->" in line), default=-1)
        self._fence = ""
        self._in_comment = False
        self._section = TOP

    def read(self) -> list[Row]:
        return [self._row(index, line) for index, line in enumerate(self._lines)]

    def _row(self, index: int, line: str) -> Row:
        if self._in_comment or self._opens_comment(index, line):
            self._in_comment = "-->" not in line
            return Row(index + 1, line, self._section, hidden=True)
        fence = _FENCE.match(line)
        if self._fence:
            if fence and fence[1].startswith(self._fence):
                self._fence = ""
            return Row(index + 1, line, self._section, fenced=True)
        if fence:
            self._fence = fence[1]
            return Row(index + 1, line, self._section, fenced=True)
        heading = _HEADING.match(line)
        if heading:
            self._section = heading[1].rstrip("# \t") or heading[1]
        return Row(index + 1, line, self._section, heading=heading is not None)

    def _opens_comment(self, index: int, line: str) -> bool:
        """Whether a comment starts here that is closed somewhere and has no text after it on its line."""
        if self._fence or not line.lstrip().startswith("<!--") or index > self._last_close:
            return False
        _, closed, rest = line.partition("-->")
        return not closed or not rest.strip()

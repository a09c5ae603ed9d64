"""Lines of text under 100 columns: tables, wrapped prose, headings, each with the style it would like."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH = 99
PLAIN, BOLD, QUIET, LOUD = "", "bold", "quiet", "loud"
_GAP = 2


@dataclass(frozen=True, slots=True)
class Line:
    """One line to print, without its end, and its style: plain, bold, quiet or loud."""

    text: str
    style: str = PLAIN


def heading(text: str) -> Iterator[Line]:
    """An empty line and the text, bold."""
    yield Line("")
    yield from prose(text, style=BOLD)


def prose(text: str, *, indent: int = 0, style: str = PLAIN) -> Iterator[Line]:
    """Text wrapped to the width; its own line breaks stay."""
    for part in text.splitlines() or [""]:
        wrapped = textwrap.wrap(part, WIDTH - indent, break_on_hyphens=False, break_long_words=False) or [""]
        yield from (Line(" " * indent + each, style) for each in wrapped)


def grid(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], *, footer: Sequence[str] = (), indent: int = 0
) -> Iterator[Line]:
    """A table; a column is (heading, "l" or "r"). What is too wide is taken from the widest left-hand column."""
    if not rows:
        return
    everything = [[name for name, _ in columns], *rows, *([footer] if footer else [])]
    widths = [max(len(row[index]) for row in everything) for index in range(len(columns))]
    room = WIDTH - indent - _GAP * (len(columns) - 1)
    while sum(widths) > room:
        widest = max((i for i, (_, side) in enumerate(columns) if side == "l"), key=widths.__getitem__)
        widths[widest] -= max(1, min(sum(widths) - room, widths[widest] - 8))
    sides = [side for _, side in columns]

    def laid(row: Sequence[str]) -> str:
        cells = [
            cell.rjust(width) if side == "r" else shortened(cell, width).ljust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        ]
        return (" " * indent + (" " * _GAP).join(cells)).rstrip()

    yield Line(laid([name for name, _ in columns]), BOLD if not indent else QUIET)
    yield from (Line(laid(row)) for row in rows)
    if footer:
        yield Line(laid(footer), BOLD)


def shortened(text: str, width: int) -> str:
    """The text in at most so many characters, its middle left out where it is longer."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"

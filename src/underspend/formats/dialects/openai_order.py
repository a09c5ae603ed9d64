"""Pieces of a reply that come mixed, put one part after the other.

Chat Completions sends pieces of several tool calls by index, in any order. Parts of the neutral form never overlap, so
a piece of another call waits until the call under way is whole, and not longer: its arguments are whole once they are
a JSON object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from underspend.formats.dialects.neutral import Event, More, PartBegan, PartEnded, Refusal, Text, Thinking, ToolUse
from underspend.formats.lenient import decode


@dataclass(slots=True, eq=False)
class Slot:
    """One part that is being received. `part` is None while a call's name has not come."""

    part: Text | Thinking | Refusal | ToolUse | None
    pieces: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether another part may follow."""
        return not isinstance(self.part, ToolUse) or _is_object("".join(self.pieces))


class Order:
    """Takes pieces as they come, gives events in order."""

    __slots__ = ("_current", "_waiting")

    def __init__(self) -> None:
        self._current: Slot | None = None
        self._waiting: list[Slot] = []

    def says(self, kind: type[Text | Thinking | Refusal]) -> Slot | None:
        """The part of words that more words of this kind belong to: the last one, where it is of the kind."""
        last = self._waiting[-1] if self._waiting else self._current
        return last if last is not None and isinstance(last.part, kind) else None

    def add(self, slot: Slot, piece: str) -> Iterator[Event]:
        """A piece of a part, which may be its first."""
        if slot is self._current:
            yield from self._grow(slot, piece)
            return
        if piece:
            slot.pieces.append(piece)
        if slot not in self._waiting:
            self._waiting.append(slot)
        if self._current is None or self._current.is_whole:
            yield from self._advance()

    def finish(self) -> Iterator[Event]:
        """Everything that waits: nothing more comes."""
        if self._current is not None:
            yield PartEnded()
        for slot in self._waiting:
            if slot.part is not None:
                yield from _begun(slot)
                yield PartEnded()
        self._current, self._waiting = None, []

    def _grow(self, slot: Slot, piece: str) -> Iterator[Event]:
        if not piece:
            return
        if isinstance(slot.part, ToolUse):
            slot.pieces.append(piece)
        yield More(piece)
        if self._waiting and slot.is_whole:
            yield from self._advance()

    def _advance(self) -> Iterator[Event]:
        """Go on to what waits, as far as each part is whole."""
        while self._waiting and self._waiting[0].part is not None:
            if self._current is not None:
                if not self._current.is_whole:
                    return
                yield PartEnded()
            self._current = self._waiting.pop(0)
            yield from _begun(self._current)


def _begun(slot: Slot) -> Iterator[Event]:
    part = slot.part
    if part is None:
        return
    yield PartBegan(part)
    if slot.pieces:
        yield More("".join(slot.pieces))


def _is_object(pieces: str) -> bool:
    if not pieces.rstrip().endswith("}"):
        return False
    try:
        return isinstance(decode(pieces.encode("utf-8", "surrogatepass")), dict)
    except msgspec.DecodeError:
        return False

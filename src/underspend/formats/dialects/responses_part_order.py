"""Parts of a stream one after the other, though the provider may tell of several at a time."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from underspend.formats.dialects.neutral import Event, More, PartBegan, PartEnded, Refusal, Text, Thinking, ToolUse


@dataclass(slots=True)
class _Entry:
    part: Text | Thinking | ToolUse | Refusal
    begun: bool = False
    ended: bool = False
    waiting: list[str] = field(default_factory=list)
    length: int = 0
    signature: str = ""


class PartOrder:
    """Tell it what comes for which part; `take` gives the events that may be said by now.

    The part that began first is said as it comes. What comes for a later one waits until those before it have ended.
    """

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}
        self._line: list[_Entry] = []

    @property
    def parts(self) -> tuple[Text | Thinking | ToolUse | Refusal, ...]:
        """Every part there was, without its words."""
        return tuple(entry.part for entry in self._entries.values())

    def has(self, key: Hashable) -> bool:
        """Whether the part began."""
        return key in self._entries

    def begin(self, key: Hashable, part: Text | Thinking | ToolUse | Refusal) -> None:
        """A part begins. One that began already goes on."""
        if key not in self._entries:
            self._entries[key] = entry = _Entry(part)
            self._line.append(entry)

    def more(self, key: Hashable, words: str) -> None:
        """More of a part. Nothing is added to one that is unknown or has ended."""
        entry = self._entries.get(key)
        if entry is not None and not entry.ended and words:
            entry.waiting.append(words)
            entry.length += len(words)

    def length(self, key: Hashable) -> int:
        """How many characters of a part have come."""
        return self._entries[key].length if key in self._entries else 0

    def rest(self, key: Hashable, whole: str) -> None:
        """The part's whole words: what had not come in pieces is added."""
        self.more(key, whole[self.length(key) :])

    def end(self, key: Hashable, signature: str = "") -> None:
        """A part is whole."""
        entry = self._entries.get(key)
        if entry is not None and not entry.ended:
            entry.ended, entry.signature = True, signature

    def end_all(self) -> None:
        """Every part is whole."""
        for key in self._entries:
            self.end(key)

    def take(self) -> list[Event]:
        """The events that can be said and were not yet."""
        said: list[Event] = []
        while self._line:
            first = self._line[0]
            if not first.begun:
                first.begun = True
                said.append(PartBegan(first.part))
            said += [More(words) for words in first.waiting]
            first.waiting = []
            if not first.ended:
                break
            said.append(PartEnded(first.signature))
            self._line.pop(0)
        return said

"""Server-sent events, as WHATWG HTML §9.2 parses them, from chunks cut anywhere."""

from __future__ import annotations


class SseParser:
    """Feed it bytes as they come; it returns the data of every event that the bytes complete.

    Accepts LF, CR and CRLF line ends, comments, and `data` over several lines. Only the data matters to us: event
    names repeat the `type` inside it, and unknown fields are skipped.
    """

    __slots__ = ("_data", "_tail")

    def __init__(self) -> None:
        self._tail = b""
        self._data: list[bytes] = []

    @property
    def between_events(self) -> bool:
        """Whether everything so far belongs to whole events."""
        return not self._tail and not self._data

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of each event completed by this chunk, in order."""
        if b"\r" in chunk or self._tail.endswith(b"\r"):
            lines = self._lines_with_returns(chunk)
        else:
            lines = (self._tail + chunk).split(b"\n")
            self._tail = lines.pop()
        return self._events(lines)

    def finish(self) -> list[bytes]:
        """What an unterminated last event holds: a cut stream may have stopped inside it."""
        lines = [self._tail.rstrip(b"\r"), b""]
        self._tail = b""
        return self._events(lines)

    def _lines_with_returns(self, chunk: bytes) -> list[bytes]:
        text = self._tail + chunk
        # A final CR may be the first half of a CRLF: it waits for the next chunk.
        held = b"\r" if text.endswith(b"\r") else b""
        text = text[: len(text) - len(held)]
        lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._tail = lines.pop() + held
        return lines

    def _events(self, lines: list[bytes]) -> list[bytes]:
        done: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif line == b"data":
                self._data.append(b"")
            elif not line and self._data:
                done.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data = []
        return done

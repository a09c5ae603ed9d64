"""The JSON documents of a reply's body: one where it is whole, one for each event where it is streamed."""

from __future__ import annotations

from underspend.formats.sse import SseParser


class Documents:
    """Feed it bytes; it returns the documents they complete. A body that is not streamed is one, at the end."""

    __slots__ = ("_chunks", "_sse")

    def __init__(self, *, stream: bool) -> None:
        self._sse = SseParser() if stream else None
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The documents that this chunk completes."""
        if self._sse is None:
            self._chunks.append(chunk)
            return []
        return self._sse.feed(chunk)

    def finish(self) -> list[bytes]:
        """What is left at the end of the body."""
        return [b"".join(self._chunks)] if self._sse is None else self._sse.finish()

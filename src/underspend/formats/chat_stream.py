"""A Chat stream without the usage that only we asked for: the client gets what it would have got without us."""

from __future__ import annotations

import re

import msgspec

from underspend.formats.lenient import decode, obj

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LONGEST = 4 * 1024 * 1024


class WithoutUsage:
    """Feed it a stream; it returns the same bytes, whole events at a time, but for the chunk that is only usage."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> bytes:
        """The events that these bytes complete, without the one that says only the usage."""
        self._tail += data
        kept = []
        at = 0
        for end in _END.finditer(self._tail):
            event = self._tail[at : end.end()]
            at = end.end()
            if not _is_only_usage(event):
                kept.append(event)
        self._tail = self._tail[at:]
        if len(self._tail) > _LONGEST:
            kept.append(self._tail)
            self._tail = b""
        return b"".join(kept)

    def finish(self) -> bytes:
        """What is left."""
        left, self._tail = self._tail, b""
        return left


def _is_only_usage(event: bytes) -> bool:
    if b'"usage"' not in event:
        return False
    for line in event.splitlines():
        if line.startswith(b"data:"):
            try:
                said = obj(decode(line[5:]))
            except msgspec.DecodeError:
                return False
            return said.get("choices") == [] and isinstance(said.get("usage"), dict)
    return False

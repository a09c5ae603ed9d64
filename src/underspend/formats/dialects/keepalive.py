"""Server-sent events with the comments that providers send to keep a connection alive."""

from __future__ import annotations

from underspend.formats.sse import SseParser

COMMENT = b":"
"""What stands for a comment among the data of events, of which none can begin so."""


class LivelyParser(SseParser):
    """Like its base, but a comment line comes out too, in its place, as `COMMENT`."""

    __slots__ = ()

    def _events(self, lines: list[bytes]) -> list[bytes]:
        if not any(line.startswith(b":") for line in lines):
            return super()._events(lines)
        done: list[bytes] = []
        for line in lines:
            done += [COMMENT] if line.startswith(b":") else super()._events([line])
        return done

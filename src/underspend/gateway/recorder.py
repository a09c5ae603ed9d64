"""The client's end of a reply, with a note of all that it got: in the client's own dialect, whoever wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field

from underspend.formats import encodings
from underspend.gateway.headers import first
from underspend.gateway.transport import RawHeaders, Responder


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A reply that was passed on to its end. `body` is whole, its content coding undone."""

    status: int
    content_type: str
    body: bytes = field(repr=False)
    request_id: str | None = None


class Recorder:
    """A Responder in front of another. It adds headers of ours, and remembers replies of at most `most` bytes.

    `ended` says that the reply was passed on to its end.
    """

    def __init__(self, responder: Responder, extra: RawHeaders, *, most: int) -> None:
        self._responder = responder
        self._extra = extra
        self._left = most
        self._most = most
        self._status = 0
        self._headers: RawHeaders = []
        self._parts: list[bytes] = []
        self.ended = False

    @property
    def started(self) -> bool:
        """Whether the status line was sent."""
        return self._responder.started

    @property
    def client_gone(self) -> bool:
        """Whether the client has gone away."""
        return self._responder.client_gone

    @property
    def told(self) -> bool:
        """Whether the client can know the whole reply: it may, before the end of it is seen here."""
        declared = first(self._headers, b"content-length")
        is_whole = declared is not None and declared.isdigit() and self._most - self._left >= int(declared)
        return self.ended or is_whole

    async def start(self, status: int, headers: RawHeaders) -> None:
        """Send the status line, the headers and ours."""
        self._status, self._headers = status, headers
        await self._responder.start(status, [*headers, *self._extra])

    async def write(self, chunk: bytes) -> None:
        """Send bytes of the body, and remember them while they are not too many."""
        await self._responder.write(chunk)
        self._left -= len(chunk)
        if self._left >= 0:
            self._parts.append(chunk)
        else:
            self._parts.clear()

    async def end(self) -> None:
        """End the body properly."""
        await self._responder.end()
        self.ended = True

    def heard(self) -> Heard | None:
        """What the client got; None where that was too much, or did not come to its end.

        Raises ValueError, or the decoder's own error, for a body that is not in the coding its head names.
        """
        if not self.ended or self._left < 0:
            return None
        decode = encodings.decoder(first(self._headers, b"content-encoding"))
        plain, size = list[bytes](), 0
        for part in self._parts:
            plain.append(decode(part))
            size += len(plain[-1])
            if size > self._most:
                return None
        return Heard(
            status=self._status,
            content_type=first(self._headers, b"content-type") or "",
            body=b"".join(plain),
            request_id=first(self._headers, b"request-id") or first(self._headers, b"x-request-id"),
        )

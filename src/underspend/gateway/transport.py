"""What the pipeline asks of whatever carries HTTP. It sees methods, raw targets, raw headers and bytes; no framework.

A transport reports a client that goes away by cancelling the task that handles its request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]


class BodyTooLargeError(Exception):
    """The request's body is larger than the limit; the rest of it was not read."""


class ClientGoneError(Exception):
    """The client went away while its body was read."""


class Request(Protocol):
    """One request. Header names are lower case, values as sent; `fields` are the headers as text, by name."""

    method: str
    path: bytes
    query: bytes
    headers: RawHeaders
    fields: dict[str, str]

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises BodyTooLargeError, ClientGoneError."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises ClientGoneError."""
        ...


class Responder(Protocol):
    """Where the reply goes. Writes wait while the client reads slowly."""

    @property
    def started(self) -> bool:
        """Whether the status line was sent."""
        ...

    @property
    def client_gone(self) -> bool:
        """Whether the client has gone away."""
        ...

    async def start(self, status: int, headers: RawHeaders) -> None:
        """Send the status line and headers."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Send bytes of the body."""
        ...

    async def end(self) -> None:
        """End the body properly. A reply never ended is cut, so that the client sees that upstream's was."""
        ...


class Chunks(Protocol):
    """A body as it comes: an asynchronous iterator that raises UpstreamCutError when the body breaks off."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """Done with it; before its end this aborts the exchange."""
        ...


@dataclass(frozen=True, slots=True)
class UpstreamReply:
    """A reply's head and its body's chunks, as they came (still encoded as the headers say)."""

    status: int
    headers: RawHeaders
    chunks: Chunks


class UpstreamUnreachableError(Exception):
    """No reply came: nothing listens, the name is unknown, the connection broke before the head."""


class UpstreamCutError(Exception):
    """The reply broke off before its end."""


class Upstream(Protocol):
    """The provider's end of the wire."""

    async def send(
        self, method: str, target: str, headers: RawHeaders, body: bytes | AsyncIterator[bytes] | None
    ) -> UpstreamReply:
        """Forward a request; returns at the reply's head. Raises UpstreamUnreachableError.

        The reply's `chunks` raise UpstreamCutError. Closing them early aborts the exchange.
        """
        ...

"""The first transport: bare ASGI, with no framework between the server and the pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from underspend.gateway.headers import as_mapping
from underspend.gateway.transport import BodyTooLargeError, ClientGoneError, RawHeaders

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]


class AsgiRequest:
    """A Request read from an ASGI server."""

    def __init__(self, scope: Message, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: bytes = scope.get("raw_path") or scope["path"].encode()
        self.query: bytes = scope["query_string"]
        self.headers: RawHeaders = scope["headers"]
        self.fields = as_mapping(self.headers)
        self._receive = receive
        self._whole = not self._has_body()
        self.when_whole: Callable[[], None] | None = None

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises BodyTooLargeError, ClientGoneError."""
        declared = next((value for name, value in self.headers if name == b"content-length"), b"")
        if declared.isdigit() and int(declared) > limit:
            raise BodyTooLargeError
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                raise BodyTooLargeError
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises ClientGoneError."""
        while not self._whole:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            self._whole = not message.get("more_body", False)
            if self._whole and self.when_whole is not None:
                self.when_whole()
            if chunk := message.get("body", b""):
                yield chunk

    @property
    def whole(self) -> bool:
        """Whether nothing of the body is left to read."""
        return self._whole

    def _has_body(self) -> bool:
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self.headers
        )

    async def gone(self) -> None:
        """Returns when the client has gone away. To be awaited only once the body is read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


class AsgiResponder:
    """A Responder that writes to an ASGI server."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False
        self.client_gone = False
        self.ended = False

    async def start(self, status: int, headers: RawHeaders) -> None:
        """Send the status line and headers."""
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, chunk: bytes) -> None:
        """Send bytes of the body; waits while the client reads slowly."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self) -> None:
        """End the body properly."""
        self.ended = True
        await self._send({"type": "http.response.body", "body": b""})


class Watch:
    """While inside it, a client that goes away cancels the current task. It looks only once the body is read."""

    def __init__(self, request: AsgiRequest, responder: AsgiResponder) -> None:
        self._request = request
        self._responder = responder
        self._watcher: asyncio.Task[None] | None = None
        self._handler = asyncio.current_task()

    def __enter__(self) -> None:
        if self._request.whole:
            self._begin()
        else:
            self._request.when_whole = self._begin

    def __exit__(self, *_: object) -> None:
        self._request.when_whole = None
        if self._watcher is not None:
            self._watcher.cancel()

    def _begin(self) -> None:
        # Held by this object, which outlives it; it ends with the request.
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        await self._request.gone()
        if not self._responder.ended and self._handler is not None:
            self._responder.client_gone = True
            self._handler.cancel()

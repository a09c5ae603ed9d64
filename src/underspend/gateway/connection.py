"""One HTTP/1.1 connection to an upstream: bytes out, a parsed reply in, nothing decoded and nothing copied twice.

A general client library spends more on one exchange than the whole rest of the gateway; this is what is left of it when
requests go out as they came and replies are passed on as they come. Parsing is llhttp's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import cast

import httptools

from underspend.gateway.dialling import Proxy
from underspend.gateway.transport import RawHeaders, UpstreamCutError, UpstreamReply, UpstreamUnreachableError

Freed = Callable[["Connection"], None]

_HEAD_LIMIT = 256 * 1024
_HIGH_WATER = 256 * 1024
_GATHER_SECONDS = 0.001  # events of a burst leave together; first bytes, last bytes and slow streams never wait
_GATHER_SIZE = 16 * 1024
_PIECE = 256 * 1024  # TLS encrypts at once what it is given; in pieces, a body waits for upstream to read it
_INTERIM = range(100, 200)


class UnansweredError(UpstreamUnreachableError):
    """The connection was closed without a byte of a reply: perhaps for its age, before the request came."""


class _Body:
    """The body of one reply. Not a generator: one that was never begun would not notice its closing."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._connection is None:
            raise StopAsyncIteration
        chunk = await self._connection.more()
        if not chunk:
            await self.aclose()
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """End the exchange; before the reply's end this aborts it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.finish()

    def __del__(self) -> None:
        if self._connection is not None:
            self._connection.forsake()


class Connection(asyncio.Protocol):
    """A connection carries one exchange at a time. `closed` once it can carry no more."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, idle_seconds: float, on_free: Freed) -> None:
        self.closed = False
        self.free_since = 0.0
        self.proxy: Proxy | None = None  # one that is asked to forward each request
        self._loop = loop
        self._idle_seconds = idle_seconds
        self._free = on_free
        self._transport: asyncio.Transport | None = None
        self._secure = False
        self._writable: asyncio.Future[None] | None = None
        self._begin("")

    def _begin(self, method: str) -> None:
        """Make ready for one exchange."""
        self._parser = httptools.HttpResponseParser(self)
        self._method = method
        self._head: asyncio.Future[None] | None = None
        self._status = 0
        self._headers: RawHeaders = []
        self._fields: RawHeaders = []  # of whatever the parser is at: an interim reply, the reply, its trailer
        self._head_size = 0
        self._whole = False
        self._broken: str | None = None
        self._parts: list[bytes] = []
        self._waiting_size = 0
        self._paused = False
        self._reader: asyncio.Future[None] | None = None
        self._handed_over = 0.0
        self._gathering: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._active = 0.0
        self._unsent = 0
        self._sender: asyncio.Task[None] | None = None

    async def exchange(self, method: str, head: bytes, body: bytes | AsyncIterator[bytes] | None) -> UpstreamReply:
        """Send a request whose head is complete; returns at the reply's head.

        A body without a length is sent in HTTP chunks, which the head has to say. Raises UpstreamUnreachableError
        (UnansweredError where nothing came back), and what the body's iterator raises.
        """
        if self.closed:
            raise UnansweredError("the connection was closed")
        self._begin(method)
        self._head = answered = self._loop.create_future()
        self._active = self._loop.time()
        if self._idle_seconds:
            self._timer = self._loop.call_later(self._idle_seconds, self._look_at_silence)
        try:
            self._write(head, body)
            await answered
        except BaseException:
            answered.cancel()
            self.abort()
            raise
        return UpstreamReply(self._status, self._headers, _Body(self))

    def abort(
        self, why: str = "the exchange was given up", kind: type[UpstreamUnreachableError] = UpstreamUnreachableError
    ) -> None:
        """Close at once; what is under way is lost, and whoever waits for it is told why.

        `kind` is what a reply's head that is still waited for ends with. Calling it again does nothing more.
        """
        self.closed = True
        self._stop_timer()
        if self._sender is not None:
            self._sender.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._free(self)
        if self._whole or self._broken is not None:
            return
        self._broken = why
        if self._head is not None and not self._head.done():
            self._head.set_exception(kind(why))
        self._wake()

    async def more(self) -> bytes:
        """The next bytes of the reply's body, empty at its end. Raises UpstreamCutError."""
        while not self._parts:
            if self._whole:
                return b""
            if self._broken is not None:
                raise UpstreamCutError(self._broken)
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        self._handed_over = self._active
        parts, self._parts = self._parts, []
        self._waiting_size = 0
        if self._paused:
            self._paused = False
            if not self.closed and self._transport is not None:
                self._transport.resume_reading()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def finish(self) -> None:
        """End the exchange: keep the connection after a whole reply; before its end close it, which aborts upstream.

        Nor is it kept when a part of the request is still on its way, or when it was told to read no more.
        """
        if self._whole and not self.closed and not self._paused and not self._uploading() and not self._unsent_size():
            self._head = None
            self._free(self)
        else:
            self.abort()

    def forsake(self) -> None:
        """Finish an exchange whose body nobody holds any more; to be called from any thread."""
        with suppress(RuntimeError):  # a loop that has ended has closed everything
            self._loop.call_soon_threadsafe(self.finish)

    def _write(self, head: bytes, body: bytes | AsyncIterator[bytes] | None) -> None:
        transport = cast("asyncio.Transport", self._transport)
        if body is None:
            transport.write(head)
            return
        if isinstance(body, bytes):
            if not self._secure or len(body) <= _PIECE:
                transport.writelines([head, body])
                return
            body = _pieces(body)
        transport.write(head)
        chunked = b"\r\ntransfer-encoding: chunked\r\n" in head
        # A task of its own: upstream may answer before it has read everything.
        self._sender = self._loop.create_task(self._stream(transport, body, chunked=chunked))
        self._sender.add_done_callback(self._sent)

    async def _stream(self, transport: asyncio.Transport, body: AsyncIterator[bytes], *, chunked: bool) -> None:
        async for piece in body:
            if not piece:
                continue  # as a chunk it would be the last
            transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            self._active = self._loop.time()
            if self._writable is not None:
                await self._writable
        if chunked:
            transport.write(b"0\r\n\r\n")
        self._active = self._loop.time()

    def _sent(self, sender: asyncio.Task[None]) -> None:
        if sender.cancelled() or (error := sender.exception()) is None:
            return
        if self._head is not None and not self._head.done():
            self._head.set_exception(error)
        self.abort(f"the request's body broke off: {str(error) or type(error).__name__}")

    def _uploading(self) -> bool:
        return self._sender is not None and not self._sender.done()

    def _unsent_size(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    # ---- what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._secure = transport.get_extra_info("sslcontext") is not None

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._active = self._loop.time()
        if self._whole or self._head is None:
            self.abort()  # nobody asked for anything
            return
        if not self._head.done():
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.abort("upstream wants to speak another protocol")
        except httptools.HttpParserError as error:
            self.abort(f"upstream does not speak HTTP/1.1: {error}")
        if self._head_size > _HEAD_LIMIT and not self._head.done():
            self.abort("the reply's head is too large")

    def eof_received(self) -> None:
        """Upstream has sent its last byte, which ends everything: no reply can follow, even to a request half sent."""
        self._lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._lost(exc)
        self.resume_writing()

    def _lost(self, exc: Exception | None) -> None:
        """The proper end of a reply that does not say how long it is, else a break."""
        answered = self._head is not None and self._head.done() and self._broken is None
        if answered and not self._whole and exc is None and not _has_length(self._headers):
            self._whole = True
        kind = UpstreamUnreachableError if self._head_size else UnansweredError
        self.abort(str(exc or "") or "the connection was closed", kind)
        self._wake()

    def pause_writing(self) -> None:
        """Upstream reads slower than the client sends."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Upstream has caught up."""
        if self._writable is not None:
            if not self._writable.done():  # else the task that waited for it was cancelled
                self._writable.set_result(None)
            self._writable = None

    # ---- what the parser tells

    def on_message_begin(self) -> None:
        """The first byte of a reply, or of something after it."""
        if self._whole:
            raise ValueError("more than the reply was sent")  # the parser stops there, and the connection is closed

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of the reply, or of its trailer, which ends here (RFC 9110 §6.5.1)."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The reply's head is whole."""
        self._status = status = self._parser.get_status_code()
        self._headers, self._fields = self._fields, []
        if status in _INTERIM or self._head is None or self._head.done():
            return
        self._head.set_result(None)
        if self._method == "HEAD":
            self.closed = True  # the parser would wait for the body that the head announces
            self._end()

    def on_body(self, body: bytes) -> None:
        """Bytes of the body."""
        if self._whole:
            return  # a reply to HEAD has none
        self._parts.append(body)
        self._waiting_size += len(body)
        if self._waiting_size > _HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        if self._reader is None:
            return
        if self._active - self._handed_over >= _GATHER_SECONDS or self._waiting_size > _GATHER_SIZE:
            self._wake()
        elif self._gathering is None:
            self._gathering = self._loop.call_later(_GATHER_SECONDS, self._wake)

    def on_message_complete(self) -> None:
        """The reply is whole, or was an interim one before it."""
        if self._head is None or not self._head.done():
            return
        if not self._parser.should_keep_alive():
            self.closed = True
        self._end()

    # ---- how it ends

    def _end(self) -> None:
        self._whole = True
        self._stop_timer()
        if self.closed:
            self.abort()
        self._wake()

    def _wake(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _look_at_silence(self) -> None:
        now = self._loop.time()
        unsent = self._unsent_size()
        client_is_slow = self._paused or (self._uploading() and self._writable is None)
        if client_is_slow or unsent != self._unsent:
            self._active = now
        self._unsent = unsent
        rest = self._active + self._idle_seconds - now
        if rest <= 0:
            self.abort(f"upstream was silent for {self._idle_seconds:g} s")
        else:
            self._timer = self._loop.call_later(rest, self._look_at_silence)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _has_length(headers: RawHeaders) -> bool:
    """Whether a reply says how long it is (RFC 9112 §6.3)."""
    lowered = [(name.lower(), value.lower()) for name, value in headers]
    return any(
        name == b"content-length" or (name == b"transfer-encoding" and value.rstrip().endswith(b"chunked"))
        for name, value in lowered
    )


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]

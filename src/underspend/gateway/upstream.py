"""The upstream behind a base URL: a pool of kept-alive connections; requests go out as they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from underspend.gateway.connection import Connection
from underspend.gateway.dialling import dial, proxy_for
from underspend.gateway.transport import RawHeaders, UpstreamReply, UpstreamUnreachableError

_KEEP_ALIVE_SECONDS = 30  # below the idle time after which common upstreams close
_BODY_EXPECTED = {"POST", "PUT", "PATCH"}
_SAFE_TO_REPEAT = {"GET", "HEAD", "OPTIONS"}


class HttpUpstream:
    """An Upstream behind a base URL; may carry a path. Use as an async context manager."""

    def __init__(self, base_url: str, *, connect_seconds: float, idle_seconds: float) -> None:
        self._url = urlsplit(base_url.rstrip("/"))
        self._connect_seconds = connect_seconds
        self._idle_seconds = idle_seconds
        self._free: list[Connection] = []
        self._busy: set[Connection] = set()
        self._open = False

    @property
    def name(self) -> str:
        """Host and port, for the ledger."""
        return self._url.netloc.rpartition("@")[2]

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        for connection in [*self._free, *self._busy]:
            connection.abort()
        self._free.clear()

    async def send(
        self, method: str, target: str, headers: RawHeaders, body: bytes | AsyncIterator[bytes] | None
    ) -> UpstreamReply:
        """Forward a request; returns at the reply's head. Raises UpstreamUnreachableError."""
        if not self._open:
            raise UpstreamUnreachableError("the gateway has not started")
        head = self._head(method, target, headers, body)
        connection = self._kept()
        if connection is not None:
            try:
                return await self._exchange(connection, method, head, body)
            except UpstreamUnreachableError:
                # It may have been closed for its age just then. What could have been billed is never sent twice.
                if method not in _SAFE_TO_REPEAT or body is not None:
                    raise
        return await self._exchange(await self._dialled(), method, head, body)

    def _head(self, method: str, target: str, headers: RawHeaders, body: bytes | AsyncIterator[bytes] | None) -> bytes:
        lines = [f"{method} {self._url.path}{target} HTTP/1.1\r\nhost: {self.name}\r\n".encode("latin-1")]
        sized = False
        for name, value in headers:
            lines += (name, b": ", value, b"\r\n")
            sized = sized or name == b"content-length"
        if not sized and body is not None:
            lines.append(
                b"content-length: %d\r\n" % len(body) if isinstance(body, bytes) else b"transfer-encoding: chunked\r\n"
            )
        elif not sized and method in _BODY_EXPECTED:
            lines.append(b"content-length: 0\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)

    async def _exchange(
        self, connection: Connection, method: str, head: bytes, body: bytes | AsyncIterator[bytes] | None
    ) -> UpstreamReply:
        self._busy.add(connection)
        return await connection.exchange(method, head, body)

    def _kept(self) -> Connection | None:
        """The connection used last that is still good; those too old are closed."""
        oldest = asyncio.get_running_loop().time() - _KEEP_ALIVE_SECONDS
        while self._free:
            connection = self._free.pop()
            if not connection.closed and connection.free_since > oldest:
                return connection
            connection.abort()
        return None

    async def _dialled(self) -> Connection:
        loop = asyncio.get_running_loop()

        def made() -> Connection:
            return Connection(loop, idle_seconds=self._idle_seconds, on_free=self._take_back)

        return await dial(self._url, proxy_for(self._url), self._connect_seconds, made)

    def _take_back(self, connection: Connection) -> None:
        self._busy.discard(connection)
        if connection.closed:
            if connection in self._free:
                self._free.remove(connection)
            return
        connection.free_since = asyncio.get_running_loop().time()
        self._free.append(connection)

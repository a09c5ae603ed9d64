"""The upstream behind a base URL: a pool of kept-alive connections; requests go out as they came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, quote, urlsplit

from underspend.gateway.connection import Connection, UnansweredError
from underspend.gateway.dialling import Proxy, dial, proxy_for
from underspend.gateway.transport import RawHeaders, UpstreamReply, UpstreamUnreachableError

_KEEP_ALIVE_SECONDS = 30  # below the idle time after which common upstreams close
_BODY_EXPECTED = {"POST", "PUT", "PATCH"}
_SAFE_TO_REPEAT = {"GET", "HEAD", "OPTIONS"}
_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)
_IN_A_PATH = "/%:@!$&'()*+,;=~"


class HttpUpstream:
    """An Upstream behind a base URL; may carry a path. Use as an async context manager."""

    def __init__(self, base_url: str, *, connect_seconds: float, idle_seconds: float) -> None:
        self._url = _in_ascii(urlsplit(base_url))
        self._connect_seconds = connect_seconds
        self._idle_seconds = idle_seconds
        self._free: list[Connection] = []  # the one used last is at the end
        self._busy: set[Connection] = set()
        self._open = False

    @property
    def name(self) -> str:
        """Host and port, for the ledger."""
        return self._url.netloc

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        for connection in [*self._free, *self._busy]:
            connection.abort("the gateway stops")

    async def send(
        self, method: str, target: str, headers: RawHeaders, body: bytes | AsyncIterator[bytes] | None
    ) -> UpstreamReply:
        """Forward a request; returns at the reply's head. Raises UpstreamUnreachableError."""
        if not self._open:
            raise UpstreamUnreachableError("the gateway has not started")
        request = method, target, headers, body
        connection = self._kept()
        if connection is not None:
            try:
                return await self._exchange(connection, *request)
            except UnansweredError:
                # It may have been closed for its age just then. What could have been billed is never sent twice.
                if method not in _SAFE_TO_REPEAT or body is not None:
                    raise
        return await self._exchange(await self._dialled(), *request)

    async def _exchange(
        self,
        connection: Connection,
        method: str,
        target: str,
        headers: RawHeaders,
        body: bytes | AsyncIterator[bytes] | None,
    ) -> UpstreamReply:
        self._busy.add(connection)
        return await connection.exchange(method, self._head(connection.proxy, method, target, headers, body), body)

    def _head(
        self,
        proxy: Proxy | None,
        method: str,
        target: str,
        headers: RawHeaders,
        body: bytes | AsyncIterator[bytes] | None,
    ) -> bytes:
        url = self._url
        origin = f"http://{url.netloc}" if proxy is not None else ""  # RFC 9112 §3.2.2
        lines = [f"{method} {origin}{url.path}{target} HTTP/1.1\r\nhost: {url.netloc}\r\n".encode("latin-1")]
        if proxy is not None and proxy.authorization is not None:
            lines += (b"proxy-authorization: ", proxy.authorization, b"\r\n")
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

    def _kept(self) -> Connection | None:
        """The connection used last that is still good; those too old are closed."""
        free = self._free
        if not free:
            return None
        oldest = _now() - _KEEP_ALIVE_SECONDS
        while free and free[0].free_since <= oldest:
            free.pop(0).abort()
        return free.pop() if free else None

    async def _dialled(self) -> Connection:
        loop, url = asyncio.get_running_loop(), self._url
        proxy = proxy_for(url)

        def made() -> Connection:
            return Connection(loop, idle_seconds=self._idle_seconds, on_free=self._take_back)

        connection = await dial(url, proxy, self._connect_seconds, made)
        connection.proxy = proxy if url.scheme == "http" else None
        return connection

    def _take_back(self, connection: Connection) -> None:
        self._busy.discard(connection)
        if connection.closed:
            if connection in self._free:
                self._free.remove(connection)
        elif not self._open:
            connection.abort()
        else:
            connection.free_since = _now()
            self._free.append(connection)


def _in_ascii(url: SplitResult) -> SplitResult:
    """A URL as it goes over the wire, without user, query or fragment."""
    host = url.netloc.rpartition("@")[2]
    if not host.isascii():
        with suppress(UnicodeError):  # the first call will say that there is no such name
            host = host.encode("idna").decode()
    path = quote(url.path.rstrip("/"), safe=_IN_A_PATH)
    return SplitResult(url.scheme, host if host.isascii() else quote(host), path, "", "")


def _now() -> float:
    """Seconds of a clock that goes on while the machine sleeps: a laptop wakes up to connections long gone."""
    return time.clock_gettime(_CLOCK) if _CLOCK is not None else time.monotonic()

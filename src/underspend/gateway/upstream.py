"""Upstream over aiohttp: one pool of kept-alive connections, bodies as they come, nothing decoded, nothing added."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Self

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from underspend.gateway.transport import (
    RawHeaders,
    UpstreamCutError,
    UpstreamReply,
    UpstreamUnreachableError,
)

_NOTHING_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_KEEP_ALIVE_SECONDS = 30  # below the idle time after which common upstreams close
_HEADER_LIMIT = 65_536
_PIECE = 256 * 1024
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class HttpUpstream:
    """An Upstream behind a base URL; may carry a path. Use as an async context manager."""

    def __init__(self, base_url: str, *, connect_seconds: float, idle_seconds: float) -> None:
        self._base = base_url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=None, sock_connect=connect_seconds, sock_read=idle_seconds or None
        )
        self._session: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        """Host and port, for the ledger."""
        return URL(self._base).authority

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS),
            timeout=self._timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOTHING_ADDED,
            trust_env=URL(self._base).host not in _LOOPBACK,
            max_line_size=_HEADER_LIMIT,
            max_field_size=_HEADER_LIMIT,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self, method: str, target: str, headers: RawHeaders, body: bytes | AsyncIterator[bytes] | None
    ) -> UpstreamReply:
        """Forward a request; returns at the reply's head. Raises UpstreamUnreachableError."""
        if self._session is None:
            raise UpstreamUnreachableError("the gateway has not started")
        fields = CIMultiDict[str]((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
        sent: object = body
        if isinstance(body, bytes) and len(body) > _PIECE:
            fields.setdefault("content-length", str(len(body)))
            sent = _pieces(body)
        try:
            reply = await self._session.request(
                method,
                URL(self._base + target, encoded=True),
                headers=fields,
                data=sent,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UpstreamUnreachableError(str(error) or type(error).__name__) from error
        return UpstreamReply(reply.status, list(reply.raw_headers), _chunks(reply))


async def _pieces(body: bytes) -> AsyncGenerator[memoryview, None]:
    """A large body in views of itself: given whole, the client library copies it to put the head before it."""
    view = memoryview(body)
    for at in range(0, len(body), _PIECE):
        yield view[at : at + _PIECE]


async def _chunks(reply: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    try:
        while chunk := await reply.content.readany():
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UpstreamCutError(str(error) or type(error).__name__) from error
    finally:
        # After a whole body this gives the connection back; before its end it closes it, which aborts upstream.
        if reply.content.at_eof():
            reply.release()
        else:
            reply.close()

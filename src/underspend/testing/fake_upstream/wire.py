"""Puts an answer on the wire: timing, cuts, stalls, compression, and a record of what was really sent."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections.abc import Iterator

from aiohttp import web
from multidict import CIMultiDict

from underspend.testing.fake_upstream.answered import Answered, Headers
from underspend.testing.fake_upstream.faults import Delivery
from underspend.testing.fake_upstream.ledger import Seen
from underspend.testing.fake_upstream.pieces import Piece

_GZIP_WINDOW = 31
_FLUSH_TRIES, _FLUSH_PAUSE = 1000, 0.001
_LINGER_ZERO = struct.pack("ii", 1, 0)


class _CutHere(Exception):  # noqa: N818  # not an error: the script asked for it
    """The connection is to end at this byte."""


class Sender:
    """Sends one answer and writes into `seen` what went out, even when the client leaves in the middle."""

    def __init__(self, request: web.BaseRequest, answered: Answered, seen: Seen, headers: Headers) -> None:
        self._request = request
        self._answered = answered
        self._seen = seen
        self._sent: list[Piece] = []
        accepts = "gzip" in request.headers.get("accept-encoding", "")
        packs = answered.delivery.gzip and accepts
        self._gzip = zlib.compressobj(wbits=_GZIP_WINDOW) if packs else None
        packed = [("content-encoding", "gzip")] if packs else []
        self._response = web.StreamResponse(
            status=answered.status, headers=CIMultiDict([*answered.headers, *packed, *headers])
        )

    async def send(self) -> web.StreamResponse:
        """Sends the answer to its end, or to where its delivery cuts it."""
        delivery = self._answered.delivery
        await _pause(delivery.ttfb_ms)
        self._answered.began()
        self._seen.status = self._answered.status
        ended = False
        try:
            await self._begin()
            await self._body(delivery)
            await self._response.write_eof()
            ended = True
        except _CutHere:
            self._settle(self._sent)
            ended = True
            await self._cut(delivery)
        except ConnectionError:
            pass
        finally:
            if not ended:
                self._seen.sent_in_full = False
                self._settle(self._sent)
        return self._response

    def _settle(self, sent: list[Piece]) -> None:
        self._seen.settle(self._answered.settle(sent))

    def _settle_whole(self) -> None:
        # before the last byte, so that whoever has the whole answer finds it in the ledger
        self._seen.sent_in_full = self._answered.whole
        self._settle(self._answered.pieces)

    async def _begin(self) -> None:
        writes = list(self._writes())
        if self._answered.streamed:
            self._response.enable_chunked_encoding()
        else:
            self._response.content_length = sum(len(data) for _, data in writes)
        self._pending = writes
        await self._response.prepare(self._request)

    def _writes(self) -> Iterator[tuple[Piece | None, bytes]]:
        for piece in self._answered.pieces:
            yield piece, self._packed(piece.data)
        if self._gzip is not None:
            yield None, self._gzip.flush(zlib.Z_FINISH)

    def _packed(self, data: bytes) -> bytes:
        if self._gzip is None:
            return data
        return self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)

    async def _body(self, delivery: Delivery) -> None:
        if delivery.cut_after_event == 0 or delivery.cut_at_byte == 0:
            raise _CutHere
        if self._request.method == "HEAD" or not self._pending:
            self._settle_whole()
            return
        for number, (piece, data) in enumerate(self._pending, 1):
            if number > 1:
                await _pause(delivery.event_gap_ms)
            if number == len(self._pending) and not self._cuts_last(data, delivery):
                self._settle_whole()
            await self._write(data, delivery)
            if piece is not None:
                self._sent.append(piece)
            if delivery.cut_after_event == number:
                raise _CutHere
            if delivery.stall_after_event == number:
                await _pause(delivery.stall_ms)

    def _cuts_last(self, data: bytes, delivery: Delivery) -> bool:
        by_byte = delivery.cut_at_byte is not None and delivery.cut_at_byte <= self._seen.bytes_sent + len(data)
        return by_byte or delivery.cut_after_event == len(self._pending)

    async def _write(self, data: bytes, delivery: Delivery) -> None:
        limit = delivery.cut_at_byte
        left = len(data) if limit is None else min(len(data), limit - self._seen.bytes_sent)
        step = delivery.chunk_bytes or max(1, left)
        for at in range(0, left, step):
            part = data[at : min(at + step, left)]
            self._seen.bytes_sent += len(part)
            await self._response.write(part)
        if left < len(data) or (limit is not None and self._seen.bytes_sent == limit):
            raise _CutHere

    async def _flushed(self, transport: asyncio.WriteTransport) -> None:
        for _ in range(_FLUSH_TRIES):
            if transport.is_closing() or not transport.get_write_buffer_size():
                return
            await asyncio.sleep(_FLUSH_PAUSE)

    async def _cut(self, delivery: Delivery) -> None:
        transport = self._request.transport
        if transport is None:
            return
        if delivery.cut_how == "close":
            transport.close()
            return
        await self._flushed(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()


async def _pause(milliseconds: float) -> None:
    if milliseconds > 0:
        await asyncio.sleep(milliseconds / 1000)

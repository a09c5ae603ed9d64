"""Message batches: their results are billed as they pass, and their URLs kept pointing at the gateway."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec

from underspend.core.call import Call, Identity
from underspend.core.plan import Plan
from underspend.core.reply import Outcome
from underspend.formats import encodings
from underspend.formats.anthropic_reply import metered_message
from underspend.formats.lenient import decode, obj
from underspend.gateway.books import Books
from underspend.gateway.entries import End, Entry, open_row
from underspend.gateway.headers import first
from underspend.gateway.transport import RawHeaders, UpstreamReply

_RESULTS_URL = re.compile(rb'("results_url"\s*:\s*")https?://[^/"]+(?:/[^"]*?)?(/v1/messages/batches/)')
_OK = 200
_LARGEST_REWRITTEN = 16 * 1024 * 1024


async def rewritten(reply: UpstreamReply, request_headers: RawHeaders, prefix: str) -> UpstreamReply:
    """The reply with every `results_url` on the gateway: SDKs fetch it as it stands, and would leave us otherwise.

    A reply that is no JSON, is refused, or is very large is left as it is.
    """
    host = first(request_headers, b"host")
    if host is None or reply.status != _OK or "json" not in (first(reply.headers, b"content-type") or ""):
        return reply
    declared = first(reply.headers, b"content-length")
    if declared is not None and int(declared) > _LARGEST_REWRITTEN:
        return reply
    async with aclosing(reply.chunks) as chunks:
        body = b"".join([chunk async for chunk in chunks])
    plain = encodings.decoder(first(reply.headers, b"content-encoding"))(body)
    scheme = first(request_headers, b"x-forwarded-proto") or "http"
    ours = f"{scheme}://{host}{prefix}".encode()
    changed = _RESULTS_URL.sub(lambda found: found[1] + ours + found[2], plain)
    if changed == plain:
        return UpstreamReply(reply.status, reply.headers, _once(body))
    dropped = {b"content-length", b"content-encoding"}
    kept = [pair for pair in reply.headers if pair[0].lower() not in dropped]
    length = (b"content-length", str(len(changed)).encode())
    return UpstreamReply(reply.status, [*kept, length], _once(changed))


class Results:
    """The lines of a batch's results, each billed once however often they are fetched."""

    def __init__(
        self, reply: UpstreamReply, books: Books, identity: Identity, on_fault: Callable[[str, str], None]
    ) -> None:
        self._reply = reply
        self._books = books
        self._identity = identity
        self._on_fault = on_fault
        self._tail = b""

    async def watched(self) -> AsyncGenerator[bytes, None]:
        """The reply's chunks, unchanged."""
        if self._reply.status != _OK:
            async with aclosing(self._reply.chunks) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        plain = encodings.decoder(first(self._reply.headers, b"content-encoding"))
        async with aclosing(self._reply.chunks) as chunks:
            async for chunk in chunks:
                self._see(plain(chunk))
                yield chunk
        self._see(b"\n")

    def _see(self, plain: bytes) -> None:
        *lines, self._tail = (self._tail + plain).split(b"\n")
        for line in lines:
            if not line.strip():
                continue
            try:
                self._bill(line)
            except Exception as error:  # noqa: BLE001  # fail open: the client gets its results
                self._on_fault("batch results", f"{type(error).__name__}: {error}")

    def _bill(self, line: bytes) -> None:
        try:
            result = obj(obj(decode(line)).get("result"))
        except msgspec.DecodeError as error:
            raise ValueError("a line is not JSON") from error
        if result.get("type") != "succeeded":
            return  # only these are charged
        metered = metered_message(obj(result.get("message")))
        if metered.message_id is None:
            raise ValueError("a result has no message id")
        # The id is made from the message's: fetching the results again writes the same row again.
        digest = hashlib.sha256(metered.message_id.encode()).hexdigest()[:16]
        call = Call(
            id=digest,
            time=self._books.clock.now(),
            provider="anthropic",
            endpoint="batch_result",
            model=metered.model or "",
            identity=self._identity,
        )
        plan = Plan(asked=call, call=call)
        entry = Entry(call, plan, open_row(plan, self._books.upstream))
        self._books.settle_batch_result(entry, End(outcome=Outcome.OK, status=200, metered=metered))


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    if body:
        yield body

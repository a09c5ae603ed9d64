"""The way back: a reply to the client byte for byte as it comes, or in the client's dialect as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from underspend.formats import encodings
from underspend.formats.translation import Exchange
from underspend.gateway import headers, refusals
from underspend.gateway.carrying import Carried
from underspend.gateway.headers import first
from underspend.gateway.tap import Fault, Tap
from underspend.gateway.transport import RawHeaders, Responder, UpstreamCutError, UpstreamReply
from underspend.providers.provider import Decode

_ERRORS = 400
_KEPT = frozenset({b"retry-after", b"retry-after-ms", b"request-id", b"x-request-id", b"x-should-retry"})
"""What of another provider's headers means the same to the client."""

_STREAM: RawHeaders = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


async def pass_on(reply: UpstreamReply, responder: Responder, tap: Tap | None, extra: RawHeaders | None = None) -> None:
    """The reply to the client, unbuffered; a reply that breaks off is left unended, so that the client sees it."""
    async with aclosing(reply.chunks) as chunks:
        fields = headers.returned(reply.headers)
        await responder.start(reply.status, [*fields, *extra] if extra else fields)
        async for chunk in chunks:
            if tap is not None:
                tap.see(chunk)
            await responder.write(chunk)
    await responder.end()


async def pass_back(  # noqa: PLR0913, PLR0917  # what a reply passes on its way
    reply: UpstreamReply, responder: Responder, tap: Tap, carried: Carried, extra: RawHeaders, on_fault: Fault
) -> None:
    """The reply of any provider to the client, translated where the call was. Raises UpstreamCutError as `pass_on`."""
    exchange = carried.exchange
    if exchange is not None:
        await _translated(reply, responder, tap, exchange, extra, on_fault)
    elif carried.filters and tap.stream and reply.status < _ERRORS:
        await _filtered(reply, responder, tap, carried, extra)
    else:
        await pass_on(reply, responder, tap, extra)


async def _translated(  # noqa: PLR0913, PLR0917  # what a reply passes on its way
    reply: UpstreamReply, responder: Responder, tap: Tap, exchange: Exchange, extra: RawHeaders, on_fault: Fault
) -> None:
    kept = [(name, value) for name, value in reply.headers if name.lower() in _KEPT]
    if reply.status < _ERRORS and tap.stream:
        await _stream(reply, responder, tap, exchange, [*kept, *extra])
        return
    plain = encodings.decoder(first(reply.headers, b"content-encoding"))
    body = plain(await whole(reply, tap))
    status = reply.status
    try:
        made = exchange.reply(body) if status < _ERRORS else exchange.problem(status, body)
    except Exception as error:  # noqa: BLE001  # whatever a provider sends, the client gets an answer in its dialect
        on_fault("translation", f"{type(error).__name__}: {error}")
        status, why = 502, "underspend: the provider's reply could not be translated"
        made = refusals.error_body(exchange.client.name, "api_error", why)
    told = [(b"content-type", b"application/json"), (b"content-length", str(len(made)).encode())]
    await responder.start(status, [*told, *kept, *extra])
    await responder.write(made)
    await responder.end()


async def _stream(reply: UpstreamReply, responder: Responder, tap: Tap, exchange: Exchange, extra: RawHeaders) -> None:
    """A streamed reply, event by event. Where upstream breaks off, so does the client's stream."""
    plain = encodings.decoder(first(reply.headers, b"content-encoding"))
    translator = exchange.streaming()
    async with aclosing(reply.chunks) as chunks:
        await responder.start(reply.status, [*_STREAM, *extra])
        async for chunk in chunks:
            tap.see(chunk)
            if made := translator.feed(plain(chunk)):
                await responder.write(made)
    if made := translator.finish():
        await responder.write(made)
    await responder.end()


async def _filtered(reply: UpstreamReply, responder: Responder, tap: Tap, carried: Carried, extra: RawHeaders) -> None:
    """A stream of the client's own dialect without the usage that only we asked for."""
    plain = encodings.decoder(first(reply.headers, b"content-encoding"))
    kept = carried.usage_filter()
    fields = [pair for pair in headers.returned(reply.headers) if pair[0].lower() not in _OF_THE_BODY]
    async with aclosing(reply.chunks) as chunks:
        await responder.start(reply.status, [*fields, *extra])
        async for chunk in chunks:
            tap.see(chunk)
            made = kept.feed(plain(chunk)) if kept is not None else chunk
            if made:
                await responder.write(made)
    if kept is not None and (left := kept.finish()):
        await responder.write(left)
    await responder.end()


_OF_THE_BODY = frozenset({b"content-length", b"content-encoding"})


async def whole(reply: UpstreamReply, tap: Tap | None = None) -> bytes:
    """All of a reply's body. Raises UpstreamCutError."""
    parts = []
    async with aclosing(reply.chunks) as chunks:
        async for chunk in chunks:
            if tap is not None:
                tap.see(chunk)
            parts.append(chunk)
    return b"".join(parts)


def as_events(reply: UpstreamReply, decoder: Callable[[str], Decode | None]) -> UpstreamReply:
    """The reply with a provider's own kind of stream turned into server-sent events, where it is one."""
    decode = decoder(first(reply.headers, b"content-type") or "")
    if decode is None:
        return reply
    fields = [(name, value) for name, value in reply.headers if name.lower() not in _OF_THE_BODY | {b"content-type"}]
    return replace(reply, headers=[*fields, _STREAM[0]], chunks=_decoded(reply, decode))


async def _decoded(reply: UpstreamReply, decode: Decode) -> AsyncGenerator[bytes, None]:
    async with aclosing(reply.chunks) as chunks:
        async for chunk in chunks:
            try:
                made = decode(chunk)
            except ValueError as error:
                raise UpstreamCutError(str(error)) from error
            if made:
                yield made


async def again(body: bytes) -> AsyncGenerator[bytes, None]:
    """A body that was read already, as chunks."""
    if body:
        yield body

"""Anthropic Messages replies → `Metered`, from JSON or from a stream, whatever the chunks."""

from __future__ import annotations

import msgspec

from underspend.core.usage import Metered, Unit, Usage
from underspend.formats import anthropic_usage
from underspend.formats.lenient import Json, count, decode, items, obj, text
from underspend.formats.sse import SseParser


class _Event(msgspec.Struct):
    type: str = ""
    message: msgspec.Raw = msgspec.Raw(b"{}")
    usage: msgspec.Raw = msgspec.Raw(b"{}")
    delta: msgspec.Raw = msgspec.Raw(b"{}")
    error: msgspec.Raw = msgspec.Raw(b"{}")


_decode_event = msgspec.json.Decoder(_Event).decode


class _Message:
    """One reply being put together from its events."""

    __slots__ = ("body", "content", "delta_bytes", "stop_reason", "stopped", "usage")

    def __init__(self, body: Json) -> None:
        self.body = body
        self.usage = obj(body.get("usage"))
        self.content = len(items(body.get("content")))
        self.stop_reason = text(body.get("stop_reason"))
        self.stopped = False
        self.delta_bytes = 0

    def end(self, event: _Event) -> None:
        self.usage = anthropic_usage.merge(self.usage, obj(_loads(event.usage)))
        self.stop_reason = text(obj(_loads(event.delta)).get("stop_reason")) or self.stop_reason
        self.stopped = True


class AnthropicStreamMeter:
    """Feed it an SSE body; `finish` says what was billed.

    Events of unknown type are never billed, whatever they carry. A second `message_start` with the same id replaces
    the first; with another id it is another reply, and both are billed.
    """

    def __init__(self) -> None:
        self._sse = SseParser()
        self._messages: list[_Message] = []
        self._notes: list[str] = []

    @property
    def message_id(self) -> str | None:
        """The id of the reply under way, once `message_start` has come."""
        return text(self._messages[-1].body.get("id")) if self._messages else None

    @property
    def seen(self) -> Usage:
        """Tokens known so far: the start's counts, and for output at least what the bytes seen amount to."""
        total = Usage()
        for message in self._messages:
            lanes = anthropic_usage.split_lanes(message.usage)
            total += lanes
            if not message.stopped:
                total += Usage(output=max(0, _output_of(message) - lanes.output))
        return total

    def feed(self, chunk: bytes) -> None:
        """Take in the next bytes of the body."""
        deltas = chunk.count(_DELTA_LINES)
        if deltas and self._messages and self._sse.between_events and _holds_only(chunk, deltas):
            # Nearly all of a stream is these, and of them only the size matters: not worth taking apart.
            self._messages[-1].delta_bytes += max(0, len(chunk) - deltas * _DELTA_EVENT_FRAME)
            return
        for data in self._sse.feed(chunk):
            self._take(data)

    def finish(self) -> Metered:
        """What was metered. `complete` is False when the end was never seen."""
        for data in self._sse.finish():
            self._take(data)
        if not self._messages:
            return _nothing(self._notes)
        if len(self._messages) == 1:
            only = self._messages[0]
            return _metered(only, complete=only.stopped, notes=tuple(self._notes))
        parts = [_metered(message, complete=message.stopped, notes=()) for message in self._messages]
        return _joined(parts, notes=(*self._notes, f"{len(parts)} replies in one stream"))

    def _take(self, data: bytes) -> None:
        if data.startswith(_DELTA_EVENT) and self._messages:
            self._messages[-1].delta_bytes += max(0, len(data) - _DELTA_FRAME - _JSON_PER_DELTA)
            return
        try:
            self._read(_decode_event(data))
        except (msgspec.DecodeError, RecursionError):
            if data.strip() != b"[DONE]":
                self._notes.append("an event that is not JSON was skipped")

    def _read(self, event: _Event) -> None:
        match event.type:
            case "content_block_delta":
                self._grow(event)
            case "content_block_start" if self._messages:
                self._messages[-1].content += 1
            case "message_start":
                self._start(_Message(obj(_loads(event.message))))
            case "message_delta" if self._messages:
                self._messages[-1].end(event)
            case "message_stop" if self._messages:
                # A reply that goes on after a tool call may come whole in its start, without any delta.
                self._messages[-1].stopped |= self._messages[-1].stop_reason is not None
            case "error":
                kind = text(obj(_loads(event.error)).get("type")) or "unknown"
                self._notes.append(f"error in the stream: {kind}")

    def _grow(self, event: _Event) -> None:
        if self._messages:
            self._messages[-1].delta_bytes += max(0, len(bytes(event.delta)) - _JSON_PER_DELTA)

    def _start(self, message: _Message) -> None:
        same = self._messages and self._messages[-1].body.get("id") == message.body.get("id")
        if same:
            self._messages[-1] = message
        else:
            self._messages.append(message)


class AnthropicJsonMeter:
    """Feed it a JSON body; `finish` says what was billed."""

    message_id: str | None = None
    seen = Usage()

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        """Take in the next bytes of the body."""
        self._chunks.append(chunk)

    def finish(self) -> Metered:
        """What was metered. A body that is no message has no usage and is not complete."""
        try:
            body = obj(decode(b"".join(self._chunks)))
        except msgspec.DecodeError:
            return _nothing(["the body is not whole JSON"])
        return metered_message(body)


def metered_message(body: Json) -> Metered:
    """What a whole message object (a JSON reply, a batch result) says about its bill."""
    if not isinstance(body.get("usage"), dict):
        return _nothing([])
    message = _Message(body)
    return _metered(message, complete=True, notes=())


_JSON_PER_DELTA = len(b'{"type":"text_delta","text":""}')
_DELTA_EVENT = b'{"type":"content_block_delta"'
_DELTA_FRAME = len(b'{"type":"content_block_delta","index":0,"delta":}')
_DELTA_LINES = b"event: content_block_delta\ndata: " + _DELTA_EVENT
_DELTA_EVENT_FRAME = len(b"event: content_block_delta\ndata: \n\n") + _DELTA_FRAME + _JSON_PER_DELTA
_BYTES_PER_TOKEN = 4


def _holds_only(chunk: bytes, deltas: int) -> bool:
    """Whether a chunk is so many whole events of two lines each, and nothing else."""
    return (
        chunk.endswith(b"\n\n")
        and chunk.count(b"\n\n") == deltas
        and chunk.count(b"\n") == 3 * deltas
        and chunk.startswith(_DELTA_LINES)
        and b"\r" not in chunk
    )


def _output_of(message: _Message) -> int:
    # Escapes and JSON syntax make bytes per token larger than in plain text; rounding up keeps the estimate honest.
    return -(-message.delta_bytes // _BYTES_PER_TOKEN)


def _metered(message: _Message, *, complete: bool, notes: tuple[str, ...]) -> Metered:
    usage = message.usage
    parts = anthropic_usage.units(usage)
    reported = anthropic_usage.split_lanes(usage)
    if not complete:
        unseen = max(0, _output_of(message) - reported.output)
        parts = (*parts[:-1], Unit(parts[-1].kind, parts[-1].usage + Usage(output=unseen), parts[-1].model))
    credit = obj(obj(usage.get("fallback_credit")).get("status")).get("type") == "redeemed"
    return Metered(
        provider="anthropic",
        model=text(message.body.get("model")),
        units=parts,
        reported=reported,
        message_id=text(message.body.get("id")),
        stop_reason=message.stop_reason,
        thinking_tokens=count(obj(usage.get("output_tokens_details")).get("thinking_tokens")),
        web_searches=count(obj(usage.get("server_tool_use")).get("web_search_requests")),
        service_tier=text(usage.get("service_tier")),
        speed=text(usage.get("speed")),
        inference_geo=text(usage.get("inference_geo")),
        refused_free=message.stop_reason == "refusal" and message.content == 0,
        fallback_credit=credit,
        complete=complete,
        has_usage=bool(usage),
        notes=notes,
    )


def _joined(parts: list[Metered], *, notes: tuple[str, ...]) -> Metered:
    last = parts[-1]
    reported = Usage()
    for part in parts:
        reported += part.reported
    return Metered(
        provider="anthropic",
        model=last.model,
        units=tuple(
            Unit(unit.kind, unit.usage, unit.model or part.model, billed=unit.billed and not part.refused_free)
            for part in parts
            for unit in part.units
        ),
        reported=reported,
        message_id=last.message_id,
        stop_reason=last.stop_reason,
        thinking_tokens=sum(part.thinking_tokens for part in parts),
        web_searches=sum(part.web_searches for part in parts),
        service_tier=last.service_tier,
        speed=last.speed,
        inference_geo=last.inference_geo,
        fallback_credit=any(part.fallback_credit for part in parts),
        complete=all(part.complete for part in parts),
        notes=notes,
    )


def _nothing(notes: list[str]) -> Metered:
    return Metered(
        provider="anthropic",
        model=None,
        units=(),
        reported=Usage(),
        complete=False,
        has_usage=False,
        notes=tuple(notes),
    )


def _loads(raw: msgspec.Raw) -> object:
    return decode(raw)

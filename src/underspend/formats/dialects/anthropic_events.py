"""Streams of the Messages API: read to events, and events written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from underspend.formats import anthropic_usage
from underspend.formats.dialects.anthropic_answer import (
    error_object,
    kind_of,
    known_names,
    made_message_id,
    read_parts,
    stop_of,
    thinking_tokens,
    write_usage,
)
from underspend.formats.dialects.anthropic_parts import NAME, arguments_of, read_thinking
from underspend.formats.dialects.keepalive import COMMENT, LivelyParser
from underspend.formats.dialects.neutral import (
    Alive,
    Ask,
    Began,
    Ended,
    Event,
    More,
    Part,
    PartBegan,
    PartEnded,
    Problem,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolUse,
)
from underspend.formats.dialects.tool_labels import wrapped_id
from underspend.formats.lenient import Json, decode, obj, text

CUT = "The provider's stream broke off before the end of the reply."
TWO = "The provider began a second reply in the midst of the first."
_encode = msgspec.json.encode


def _whole_part(part: Part) -> Iterator[Event]:
    """The events of a part of Anthropic's that came at once."""
    match part:
        case Text(words):
            yield from (PartBegan(Text("")), More(words), PartEnded())
        case ToolUse():
            yield from (PartBegan(ToolUse(part.id, part.name, "")), More(part.arguments), PartEnded())
        case Thinking():
            yield PartBegan(Thinking(redacted=part.redacted, dialect=part.dialect))
            if part.text:
                yield More(part.text)
            yield PartEnded(part.signature)


class AnthropicEventReader:
    """A stream of Anthropic's to events. Blocks of server tools, and events that are not known, are passed over."""

    def __init__(self) -> None:
        self._sse = LivelyParser()
        self._id: str | None = None
        self._usage: Json = {}
        self._stop: object = None
        self._sequence: str | None = None
        self._open = False
        self._said = False
        self._signature = ""
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        return [event for each in self._sse.feed(data) for event in self._take(each)]

    def finish(self) -> list[Event]:
        """What is left at the end; a `Problem` where the stream broke off before its own end."""
        events = [event for each in self._sse.finish() for event in self._take(each)]
        if not self._over:
            # All was said once the reason of the end has come, though the last event is missing.
            events += self._end() if self._stop is not None and not self._open else self._fail("api_error", CUT)
        return events

    def _take(self, data: bytes) -> Iterator[Event]:
        if self._over:
            return
        if data is COMMENT:
            yield Alive()
            return
        try:
            event = obj(decode(data))
        except msgspec.DecodeError:
            return
        match event.get("type"):
            case "content_block_delta":
                yield from self._grow(obj(event.get("delta")))
            case "content_block_start":
                yield from self._begin_part(obj(event.get("content_block")))
            case "content_block_stop":
                yield from self._end_part()
            case _:
                yield from self._take_other(event)

    def _take_other(self, event: Json) -> Iterator[Event]:
        match event.get("type"):
            case "ping":
                yield Alive()
            case "message_start":
                yield from self._begin(obj(event.get("message")))
            case "message_delta":
                self._usage = anthropic_usage.merge(self._usage, obj(event.get("usage")))
                delta = obj(event.get("delta"))
                self._stop = text(delta.get("stop_reason")) or self._stop
                self._sequence = text(delta.get("stop_sequence")) or self._sequence
            case "message_stop":
                yield from self._end_part()
                yield from self._end() if self._stop is not None else self._fail("api_error", CUT)
            case "error":
                error = obj(event.get("error"))
                yield from self._fail(text(error.get("type")) or kind_of(500), text(error.get("message")) or CUT)

    def _begin(self, message: Json) -> Iterator[Event]:
        name = text(message.get("id")) or ""
        if self._id is not None:
            if self._said:
                yield from self._fail("api_error", TWO)
            else:
                self._usage = obj(message.get("usage"))
            return
        self._id, self._usage = name, obj(message.get("usage"))
        self._stop = text(message.get("stop_reason"))
        self._sequence = text(message.get("stop_sequence"))
        yield Began(name, text(message.get("model")) or "", anthropic_usage.split_lanes(self._usage))
        for part in read_parts(message.get("content")):
            self._said = True
            yield from _whole_part(part)

    def _begin_part(self, block: Json) -> Iterator[Event]:
        yield from self._end_part()
        self._said, self._signature = True, ""
        match block.get("type"):
            case "text":
                yield self._opened(Text(""))
                if words := text(block.get("text")):
                    yield More(words)
            case "tool_use":
                yield self._opened(ToolUse(text(block.get("id")) or "", text(block.get("name")) or "", ""))
                if obj(block.get("input")):
                    yield More(arguments_of(block.get("input")))
            case "thinking" | "redacted_thinking":
                given = read_thinking(block)
                self._signature = given.signature
                yield self._opened(Thinking(redacted=given.redacted, dialect=NAME))
                if given.text:
                    yield More(given.text)

    def _opened(self, part: Text | ToolUse | Thinking) -> PartBegan:
        self._open = True
        return PartBegan(part)

    def _grow(self, delta: Json) -> Iterator[Event]:
        if not self._open:
            return
        match delta.get("type"):
            case "text_delta":
                words = text(delta.get("text"))
            case "input_json_delta":
                words = text(delta.get("partial_json"))
            case "thinking_delta":
                words = text(delta.get("thinking"))
            case "signature_delta":
                self._signature += text(delta.get("signature")) or ""
                return
            case _:
                return
        if words:
            yield More(words)

    def _end_part(self) -> Iterator[Event]:
        if self._open:
            self._open = False
            yield PartEnded(self._signature)

    def _end(self) -> list[Event]:
        self._over = True
        lanes = anthropic_usage.split_lanes(self._usage)
        return [Ended(stop_of(self._stop), lanes, self._sequence, thinking_tokens(self._usage))]

    def _fail(self, kind: str, message: str) -> list[Event]:
        self._over = True
        return [Problem(kind, message)]


_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_COMMENT = b": keep-alive\n\n"
_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{%b%b}}\n\n'
_TEXT = b'"type":"text_delta","text":'
_JSON = b'"type":"input_json_delta","partial_json":'
_THINKING = b'"type":"thinking_delta","thinking":'


class AnthropicEventWriter:
    """Events to a stream as Claude Code and the SDKs read it.

    The prompt's tokens are often known only at the end: `message_delta` then has them all. Reasoning of another model
    becomes pings, so that the client sees that something goes on.
    """

    def __init__(self, ask: Ask) -> None:
        self._names: Mapping[str, str] = known_names(ask)
        self._index = -1
        self._frame = b""
        self._began = False
        self._shown = False

    def write(self, event: Event) -> bytes:  # noqa: PLR0911  # one for each kind of event
        """The bytes of one event; empty where the dialect says nothing of it."""
        match event:
            case More(words):
                if self._shown:
                    return _DELTA % (self._index, self._frame, _encode(words))
                return _PING
            case PartBegan(part):
                return self._begin_part(part)
            case PartEnded(signature):
                return self._end_part(signature)
            case Began():
                return self._begin(event)
            case Ended():
                return self._end(event)
            case Alive():
                return _PING if self._began else _COMMENT
            case Problem():
                return _event("error", error_object(event))

    def _begin(self, event: Began) -> bytes:
        self._began = True
        message: Json = {
            "id": event.id or made_message_id(event.model),
            "type": "message",
            "role": "assistant",
            "model": event.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(event.usage, 0),
        }
        return _event("message_start", {"type": "message_start", "message": message})

    def _begin_part(self, part: Text | Thinking | ToolUse | Refusal) -> bytes:
        match part:
            case Text() | Refusal():
                self._frame, block = _TEXT, Json({"type": "text", "text": ""})
            case ToolUse(id=name):
                called = self._names.get(part.name, part.name)
                self._frame = _JSON
                block = {"type": "tool_use", "id": wrapped_id(name), "name": called, "input": {}}
            case Thinking(redacted=redacted):
                if part.dialect != NAME:
                    return b""
                self._frame, block = _THINKING, {"type": "thinking", "thinking": "", "signature": ""}
                if redacted:
                    block = {"type": "redacted_thinking", "data": redacted}
        self._shown = True
        self._index += 1
        started = {"type": "content_block_start", "index": self._index, "content_block": block}
        return _event("content_block_start", started)

    def _end_part(self, signature: str) -> bytes:
        if not self._shown:
            return b""
        self._shown = False
        signed = b""
        if signature and self._frame is _THINKING:
            signed = _DELTA % (self._index, b'"type":"signature_delta","signature":', _encode(signature))
        return signed + _event("content_block_stop", {"type": "content_block_stop", "index": self._index})

    def _end(self, event: Ended) -> bytes:
        usage = write_usage(event.usage, event.thinking_tokens)
        delta = {"stop_reason": Stop(event.stop).value, "stop_sequence": event.stop_sequence}
        ended = _event("message_delta", {"type": "message_delta", "delta": delta, "usage": usage})
        return ended + _event("message_stop", {"type": "message_stop"})


def _event(name: str, value: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(value))

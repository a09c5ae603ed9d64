"""Streams of Chat Completions: read to events, and events written."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from underspend.formats import openai_usage
from underspend.formats.dialects.keepalive import COMMENT, LivelyParser
from underspend.formats.dialects.neutral import (
    Alive,
    Ask,
    Began,
    Ended,
    Event,
    More,
    PartBegan,
    PartEnded,
    Problem,
    Refusal,
    Text,
    Thinking,
    ToolUse,
)
from underspend.formats.dialects.openai_answer import (
    FAILED,
    error_object,
    finish_of,
    made_reply_id,
    problem_of,
    stop_of,
    write_usage,
)
from underspend.formats.dialects.openai_order import Order, Slot
from underspend.formats.dialects.openai_parts import NAME
from underspend.formats.dialects.tool_labels import made_id
from underspend.formats.lenient import Json, count, decode, items, obj, text

CUT = "The provider's stream broke off before the end of the reply."
_encode = msgspec.json.encode


class OpenAiEventReader:
    """A stream of chunks to events. The reply is whole once a `finish_reason` has come, never by `[DONE]` alone."""

    def __init__(self) -> None:
        self._sse = LivelyParser()
        self._order = Order()
        self._calls: list[tuple[int | None, str, Slot]] = []
        self._id: str | None = None
        self._usage: Json = {}
        self._finish: str | None = None
        self._sequence: str | None = None
        self._refused = False
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        return [event for each in self._sse.feed(data) for event in self._take(each)]

    def finish(self) -> list[Event]:
        """What is left at the end; a `Problem` where the stream broke off before its own end."""
        events = [event for each in self._sse.finish() for event in self._take(each)]
        return events if self._over else [*events, *self._end()]

    def _take(self, data: bytes) -> Iterator[Event]:
        if self._over:
            return
        if data is COMMENT:
            yield Alive()
            return
        if data.strip() == b"[DONE]":
            yield from self._end()
            return
        try:
            chunk = obj(decode(data))
        except msgspec.DecodeError:
            return
        if chunk.get("error"):
            self._over = True
            yield problem_of(chunk["error"])
            return
        if chunk:
            yield from self._read(chunk, data)

    def _read(self, chunk: Json, data: bytes) -> Iterator[Event]:
        usage = chunk.get("usage") or obj(chunk.get("x_groq")).get("usage")
        if usage:
            self._usage = obj(usage)
        if self._id is None:
            if not chunk.get("id") and not chunk.get("choices"):
                return  # Azure says first what it thinks of the prompt
            self._id = text(chunk.get("id")) or made_reply_id(data.decode("utf-8", "replace"))
            yield Began(self._id, text(chunk.get("model")) or "", openai_usage.lanes(self._usage))
        for choice in items(chunk.get("choices")):
            if count(choice.get("index")):
                continue
            yield from self._grow(obj(choice.get("delta")))
            if text(choice.get("finish_reason")) in FAILED:
                self._over = True
                yield problem_of(choice.get("error") or {"message": CUT})
                return
            self._finish = text(choice.get("finish_reason")) or self._finish
            self._sequence = text(choice.get("stop_reason")) or self._sequence

    def _grow(self, delta: Json) -> Iterator[Event]:
        if words := text(delta.get("reasoning_content")) or text(delta.get("reasoning")):
            yield from self._say(Thinking(dialect=NAME), words)
        if words := text(delta.get("content")):
            yield from self._say(Text(""), words)
        if words := text(delta.get("refusal")):
            self._refused = True
            yield from self._say(Refusal(""), words)
        for call in items(delta.get("tool_calls")):
            yield from self._call(call)

    def _say(self, part: Text | Thinking | Refusal, words: str) -> Iterator[Event]:
        yield from self._order.add(self._order.says(type(part)) or Slot(part), words)

    def _call(self, call: Json) -> Iterator[Event]:
        index, use = call.get("index"), text(call.get("id")) or ""
        function = obj(call.get("function"))
        name = text(function.get("name")) or ""
        at = self._slot_of(index if isinstance(index, int) else None, use, name)
        known_index, known_use, slot = self._calls[at]
        if slot.part is None and name:
            use = known_use or use or made_id(self._id or "", at)
            slot.part = ToolUse(use, name, "")
        self._calls[at] = (known_index, known_use or use, slot)
        given = function.get("arguments")
        piece = given if isinstance(given, str) else (_encode(given).decode() if given else "")
        yield from self._order.add(slot, piece)

    def _slot_of(self, index: int | None, use: str, name: str) -> int:
        """The place of the call that a piece belongs to; a new one where it begins a call.

        Some servers give no index, or the same to all their calls: a new id with a name begins another call.
        """
        for at in range(len(self._calls) - 1, -1, -1):
            known_index, known_use, slot = self._calls[at]
            another = bool(use and name and known_use and use != known_use)
            if index == known_index and not another and not (index is None and name and slot.part is not None):
                return at
        self._calls.append((index, use, Slot(None)))
        return len(self._calls) - 1

    def _end(self) -> Iterator[Event]:
        self._over = True
        if self._finish is None:
            yield Problem("api_error", CUT)
            return
        yield from self._order.finish()
        called = any(slot.part is not None for _, _, slot in self._calls)
        stop = stop_of(self._finish, calls=called, refused=self._refused, sequence=self._sequence)
        lanes = openai_usage.lanes(self._usage)
        yield Ended(stop, lanes, self._sequence, openai_usage.thinking(self._usage))


_COMMENT = b": keep-alive\n\n"
_TAIL = b'},"logprobs":null,"finish_reason":null}]}\n\n'


class OpenAiEventWriter:
    """Events to a stream of chunks as the `openai` SDK reads it.

    Usage comes in a last chunk, where the client asked for it. Reasoning is left out, since Chat Completions has
    none: comments keep the connection alive meanwhile.
    """

    def __init__(self, ask: Ask, created: int) -> None:
        self._usage = ask.include_usage
        self._created = created
        self._base: Json = {}
        self._head = b""
        self._frame: tuple[bytes, bytes] | None = None
        self._calls = 0
        self._empty = False

    def write(self, event: Event) -> bytes:  # noqa: PLR0911  # one for each kind of event
        """The bytes of one event; empty where the dialect says nothing of it."""
        match event:
            case More(words):
                if self._frame is None:
                    return _COMMENT
                self._empty = False
                return b"%b%b%b%b%b" % (self._head, self._frame[0], _encode(words), self._frame[1], _TAIL)
            case PartBegan(part):
                return self._begin_part(part)
            case PartEnded():
                return self._end_part()
            case Began():
                return self._begin(event)
            case Ended() | Problem():
                return self._end(event)
            case Alive():
                return _COMMENT

    def _begin(self, event: Began) -> bytes:
        self._base = {
            "id": event.id or made_reply_id(event.model),
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": event.model,
        }
        self._head = b"data: %b" % _encode(self._base)[:-1] + b',"choices":[{"index":0,"delta":{'
        return b'%b"role":"assistant","content":""%b' % (self._head, _TAIL)

    def _begin_part(self, part: Text | Thinking | ToolUse | Refusal) -> bytes:
        self._empty = False
        match part:
            case Text():
                self._frame = (b'"content":', b"")
            case Refusal():
                self._frame = (b'"refusal":', b"")
            case Thinking():
                self._frame = None
            case ToolUse():
                return self._begin_call(part)
        return b""

    def _begin_call(self, part: ToolUse) -> bytes:
        index = self._calls
        self._calls += 1
        self._frame = (b'"tool_calls":[{"index":%d,"function":{"arguments":' % index, b"}}]")
        self._empty = True
        function = {"name": part.name, "arguments": ""}
        call = [{"index": index, "id": part.id, "type": "function", "function": function}]
        return b'%b"tool_calls":%b%b' % (self._head, _encode(call), _TAIL)

    def _end_part(self) -> bytes:
        # Clients parse the arguments as JSON, so a call without any has an empty object.
        return self.write(More("{}")) if self._empty else b""

    def _end(self, event: Ended | Problem) -> bytes:
        if isinstance(event, Problem):
            return b"data: %b\n\n" % _encode(error_object(event))
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish_of(event.stop)}
        chunks = [{**self._base, "choices": [choice]}]
        if self._usage:
            usage = write_usage(event.usage, event.thinking_tokens)
            chunks.append({**self._base, "choices": [], "usage": usage})
        return b"".join(b"data: %b\n\n" % _encode(chunk) for chunk in chunks) + b"data: [DONE]\n\n"

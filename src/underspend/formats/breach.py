"""What a client gets of a budget's breach: a whole reply that says what happened, or an error that is not retried.

A reply is what ends an agent's loop: Claude Code shows its text and stops, where it would repeat a call that failed. It
has no tool use, bills nothing, and names the model that was asked. An error is for programs that must notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec

from underspend.core.windows import SECOND

Dialect: TypeAlias = Literal["anthropic", "openai"]
RawHeaders: TypeAlias = list[tuple[bytes, bytes]]

FORBIDDEN = 403
_NO_USAGE = {
    "input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 0,
}
_NO_OPENAI_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@dataclass(frozen=True, slots=True)
class Wire:
    """A reply of ours, whole: status, headers and body as they go to the client."""

    status: int
    headers: RawHeaders
    body: bytes


def reply(  # noqa: PLR0913  # what a reply is made of
    words: str,
    *,
    dialect: Dialect,
    stream: bool,
    model: str,
    call: str,
    budget: str,
    now: int,
    include_usage: bool = False,
) -> Wire:
    """A final assistant message of these words, in the dialect and form (JSON or SSE) that the client asked for.

    `call` makes its id, `now` (µs since the epoch) is when OpenAI's form says it was made, `include_usage` is whether
    an OpenAI client asked for a usage chunk.
    """
    if dialect == "anthropic":
        body = _anthropic_events(words, model, call) if stream else _json(_anthropic_message(model, call, words))
    elif stream:
        body = _openai_chunks(words, model, call, now, include_usage=include_usage)
    else:
        body = _json(_openai_completion(words, model, call, now))
    return Wire(200, _headers(body, budget, stream=stream), body)


def error(words: str, *, dialect: Dialect, budget: str) -> Wire:
    """An error of these words: 403 in the dialect's shape, with `x-should-retry: false`, which the SDKs obey."""
    message = f"underspend: {words}"
    if dialect == "anthropic":
        body = _json({"type": "error", "error": {"type": "permission_error", "message": message}})
    else:
        told = {"message": message, "type": "insufficient_quota", "param": None, "code": "budget_exceeded"}
        body = _json({"error": told})
    retry = [(b"x-should-retry", b"false"), (b"x-underspend-error", b"budget")]
    return Wire(FORBIDDEN, [*_headers(body, budget, stream=False), *retry], body)


class EndableStream:
    """An SSE reply on its way to the client that can be ended as a whole message, at any event.

    Feed it the provider's bytes and pass on what it returns: whole events only, unchanged. `end` gives the bytes that
    finish the message, after which nothing more of the provider's may follow. A tool use that is under way cannot be
    taken back: then the message ends as one cut at its output limit does, which clients know not to run. Elsewhere it
    ends in the given words.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._tail = b""
        self._open: tuple[int, str] | None = None
        self._next = 0
        self._started = self._ended = False
        self._chunk: dict[str, Any] = {}

    def feed(self, chunk: bytes) -> bytes:
        """The bytes of the events that are whole by now."""
        data = self._tail + chunk
        ends = [at + len(mark) for mark in (b"\n\n", b"\r\n\r\n", b"\r\r") if (at := data.rfind(mark)) >= 0]
        whole = max(ends, default=0)
        self._tail = data[whole:]
        for line in data[:whole].replace(b"\r", b"\n").split(b"\n"):
            if line.startswith(b"data:"):
                self._note(line[5:])
        return data[:whole]

    def rest(self) -> bytes:
        """What is left when the provider has ended by itself."""
        tail, self._tail = self._tail, b""
        return tail

    def end(self, words: str, *, output_tokens: int) -> bytes:
        """The bytes that end the message; none where it has ended already or never began."""
        if self._ended or not self._started:
            return b""
        self._ended, self._tail = True, b""
        return self._end_openai(words) if self._dialect == "openai" else self._end_anthropic(words, output_tokens)

    def _note(self, data: bytes) -> None:
        if data.strip() == b"[DONE]":
            self._ended = True
            return
        try:
            event = msgspec.json.decode(data)
        except msgspec.DecodeError:
            return
        if not isinstance(event, dict):
            return
        if self._dialect == "openai":
            self._note_openai(event)
        else:
            self._note_anthropic(event)

    def _note_anthropic(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                self._started = True
            case "content_block_start":
                at, block = int(event.get("index", self._next)), event.get("content_block") or {}
                self._open, self._next = (at, str(block.get("type"))), at + 1
            case "content_block_stop":
                self._open = None
            case "message_delta" | "error":
                self._ended = True  # its stop reason has been said

    def _note_openai(self, event: dict[str, Any]) -> None:
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices:
            return
        self._started, self._chunk = True, {name: event.get(name) for name in ("id", "object", "created", "model")}
        if (choices[0].get("delta") or {}).get("tool_calls"):
            self._open = (0, "tool_use")
        self._ended |= choices[0].get("finish_reason") is not None

    def _end_anthropic(self, words: str, output_tokens: int) -> bytes:
        events: list[dict[str, Any]] = []
        in_tool = self._open is not None and self._open[1].endswith("tool_use")
        if self._open is not None:
            events.append({"type": "content_block_stop", "index": self._open[0]})
        if not in_tool:
            events += _text_block(self._next, f"\n\n{words}")
        events += _anthropic_end("max_tokens" if in_tool else "end_turn", {"output_tokens": output_tokens})
        return _anthropic_sse(events)

    def _end_openai(self, words: str) -> bytes:
        if self._open is not None:
            return _openai_sse([_choice(self._chunk, {}, "length")])
        return _openai_sse([_choice(self._chunk, {"content": f"\n\n{words}"}), _choice(self._chunk, {}, "stop")])


def _headers(body: bytes, budget: str, *, stream: bool) -> RawHeaders:
    kind = b"text/event-stream; charset=utf-8" if stream else b"application/json"
    return [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-underspend-budget", budget.encode("ascii", "backslashreplace")),
    ]


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def _anthropic_message(model: str, call: str, words: str | None) -> dict[str, Any]:
    return {
        "id": f"msg_underspend_{call}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [] if words is None else [{"type": "text", "text": words}],
        "stop_reason": None if words is None else "end_turn",
        "stop_sequence": None,
        "usage": _NO_USAGE,
    }


def _anthropic_events(words: str, model: str, call: str) -> bytes:
    start = {"type": "message_start", "message": _anthropic_message(model, call, None)}
    return _anthropic_sse([start, *_text_block(0, words), *_anthropic_end("end_turn", {"output_tokens": 0})])


def _text_block(index: int, words: str) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": words}},
        {"type": "content_block_stop", "index": index},
    ]


def _anthropic_end(stop_reason: str, usage: dict[str, int]) -> list[dict[str, Any]]:
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return [{"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


def _anthropic_sse(events: list[dict[str, Any]]) -> bytes:
    return b"".join(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), _json(event)) for event in events)


def _openai_completion(words: str, model: str, call: str, now: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": words, "refusal": None}
    return {
        "id": f"chatcmpl-underspend-{call}",
        "object": "chat.completion",
        "created": now // SECOND,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _NO_OPENAI_USAGE,
    }


def _openai_chunks(words: str, model: str, call: str, now: int, *, include_usage: bool) -> bytes:
    frame = {
        "id": f"chatcmpl-underspend-{call}",
        "object": "chat.completion.chunk",
        "created": now // SECOND,
        "model": model,
    }
    chunks = [_choice(frame, {"role": "assistant", "content": words}), _choice(frame, {}, "stop")]
    if include_usage:
        chunks.append({**frame, "choices": [], "usage": _NO_OPENAI_USAGE})
    return _openai_sse(chunks)


def _choice(frame: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {**frame, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}


def _openai_sse(chunks: list[dict[str, Any]]) -> bytes:
    return b"".join(b"data: %s\n\n" % _json(chunk) for chunk in chunks) + b"data: [DONE]\n\n"

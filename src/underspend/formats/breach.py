"""What a client gets of a budget's breach: a whole reply that says what happened, or an error that is not retried.

A reply is what ends an agent's loop: Claude Code shows its text and stops, where it would repeat a call that failed. It
has no tool use, bills nothing, and names the model that was asked. An error is for programs that must notice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec

from underspend.core.windows import SECOND

Dialect: TypeAlias = Literal["anthropic", "openai"]
RawHeaders: TypeAlias = list[tuple[bytes, bytes]]

PAYMENT_REQUIRED = 402  # of a 403 Claude Code tells its user that it failed to authenticate
BUDGET_HEADER = b"x-underspend-budget"
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
    header: bytes = BUDGET_HEADER,
) -> Wire:
    """A final assistant message of these words, in the dialect and form (JSON or SSE) that the client asked for.

    `call` makes its id, `now` (µs since the epoch) is when OpenAI's form says it was made, `include_usage` is whether
    an OpenAI client asked for a usage chunk. `header` names what stopped the call, `budget` is its value.
    """
    if dialect == "anthropic":
        body = _anthropic_events(words, model, call) if stream else _json(_anthropic_message(model, call, words))
    elif stream:
        body = _openai_chunks(words, model, call, now, include_usage=include_usage)
    else:
        body = _json(_openai_completion(words, model, call, now))
    return Wire(200, _headers(body, budget, stream=stream, header=header), body)


def error(words: str, *, dialect: Dialect, budget: str) -> Wire:
    """An error of these words: 402 in the dialect's shape, with `x-should-retry: false`, which the SDKs obey."""
    message = f"underspend: {words}"
    if dialect == "anthropic":
        body = _json({"type": "error", "error": {"type": "billing_error", "message": message}})
    else:
        told = {"message": message, "type": "insufficient_quota", "param": None, "code": "budget_exceeded"}
        body = _json({"error": told})
    retry = [(b"x-should-retry", b"false"), (b"x-underspend-error", b"budget")]
    return Wire(PAYMENT_REQUIRED, [*_headers(body, budget, stream=False), *retry], body)


class EndableStream:
    """An SSE reply on its way to the client that can be ended as a whole message, at any event.

    Feed it the provider's bytes and pass on what it returns: whole events, unchanged and in order, but that pings do
    not wait. What must not stand half in a message is kept until it is whole: a tool's use (with its result where the
    provider runs it) and a thinking block, which is worthless without its signature. `end` drops what is kept and gives
    the bytes that finish the message; nothing more of the provider's may follow. The message ends in the given words,
    or, where it has whole uses of tools, as one that calls tools does.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._tail = b""
        self._kept: list[bytes] = []
        self._waits_for = ""
        self._open: int | None = None
        self._next = 0
        self._started = self._ended = self._calls_tools = False
        self._chunk: dict[str, Any] = {}

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that may go to the client by now."""
        *whole, self._tail = _EVENT_END.split(self._tail + chunk)
        return b"".join(self._take(text + end) for text, end in zip(whole[::2], whole[1::2], strict=True))

    def rest(self) -> bytes:
        """What is left when the provider has ended by itself."""
        left, self._kept, self._tail = b"".join(self._kept) + self._tail, [], b""
        return left

    def end(self, words: str, *, output_tokens: int) -> bytes:
        """The bytes that end the message; none where it has ended already or never began."""
        if self._ended or not self._started:
            return b""
        self._ended, self._tail, self._kept = True, b"", []
        if self._dialect == "openai":
            said = _choice(self._chunk, {"content": f"\n\n{words}"})
            return _openai_sse([said, _choice(self._chunk, {}, "stop")])
        usage = {"output_tokens": output_tokens}
        events: list[dict[str, Any]] = []
        if self._open is not None and not self._waits_for:  # one that is kept was never begun for the client
            events.append({"type": "content_block_stop", "index": self._open})
            self._next = self._open + 1
        if self._calls_tools:
            return _anthropic_sse([*events, *_anthropic_end("tool_use", usage)])
        return _anthropic_sse([*events, *_text_block(self._next, f"\n\n{words}"), *_anthropic_end("end_turn", usage)])

    def _take(self, raw: bytes) -> bytes:
        event = _event_in(raw)
        if event.get("type") == "ping":
            return raw
        if self._dialect == "openai":
            self._note_openai(event)
        else:
            self._note_anthropic(event)
        self._kept.append(raw)
        if self._waits_for:
            return b""
        passed, self._kept = b"".join(self._kept), []
        return passed

    def _note_anthropic(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                self._started = True
            case "content_block_start":
                self._begin_block(event)
            case "content_block_stop":
                self._end_block()
            case "message_delta" | "error":
                self._ended, self._waits_for = True, ""  # its stop reason has been said

    def _begin_block(self, event: dict[str, Any]) -> None:
        kind = str((event.get("content_block") or {}).get("type"))
        self._open = int(event.get("index", self._next))
        if kind.endswith("tool_result"):
            self._waits_for = _WHOLE
        elif not self._waits_for and kind.endswith("tool_use"):
            self._waits_for = _USE if kind == "tool_use" else _RESULT
        elif not self._waits_for and "thinking" in kind:
            self._waits_for = _WHOLE

    def _end_block(self) -> None:
        if self._waits_for == _RESULT:
            return
        self._calls_tools |= self._waits_for == _USE
        self._next, self._open, self._waits_for = (self._open or 0) + 1, None, ""

    def _note_openai(self, event: dict[str, Any]) -> None:
        choices = event.get("choices")
        if event.get("done"):
            self._ended, self._waits_for = True, ""
        if not isinstance(choices, list) or not choices:
            return
        self._started, self._chunk = True, {name: event.get(name) for name in ("id", "object", "created", "model")}
        if (choices[0].get("delta") or {}).get("tool_calls"):
            self._waits_for = _WHOLE
        if choices[0].get("finish_reason") is not None:
            self._ended, self._waits_for = True, ""


_EVENT_END = re.compile(rb"(\r\n\r\n|\n\n|\r\r)")
_USE, _RESULT, _WHOLE = "the end of a tool's use", "a tool's result", "the end of a block"


def _event_in(raw: bytes) -> dict[str, Any]:
    """The JSON object of an event's data; empty for any other."""
    lines = (line for line in raw.replace(b"\r", b"\n").split(b"\n") if line.startswith(b"data:"))
    data = b"".join(line[5:] for line in lines).strip()
    if data == b"[DONE]":
        return {"done": True}
    try:
        event = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return {}
    return event if isinstance(event, dict) else {}


def _headers(body: bytes, budget: str, *, stream: bool, header: bytes = BUDGET_HEADER) -> RawHeaders:
    kind = b"text/event-stream; charset=utf-8" if stream else b"application/json"
    return [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (header, budget.encode("ascii", "backslashreplace")),
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

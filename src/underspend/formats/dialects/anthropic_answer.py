"""Whole replies and errors of the Messages API, read and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import xxhash

from underspend.core.usage import Usage
from underspend.formats import anthropic_usage
from underspend.formats.dialects.anthropic_parts import NAME, arguments_of, read_thinking, write_thinking, write_use
from underspend.formats.dialects.limits import limits
from underspend.formats.dialects.neutral import (
    Answer,
    Ask,
    Part,
    Problem,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolUse,
)
from underspend.formats.dialects.tool_labels import asked_names
from underspend.formats.lenient import Json, count, decode, items, obj, text

_STOPS = {stop.value: stop for stop in Stop} | {
    "model_context_window_exceeded": Stop.LENGTH,
    "compaction": Stop.PAUSE,
}
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_FAULT_OF_THE_SERVER = 500


def kind_of(status: int) -> str:
    """An error's kind by its HTTP status, as https://platform.claude.com/docs/en/api/errors has it (2026-08-22)."""
    return _KINDS.get(status) or ("api_error" if status >= _FAULT_OF_THE_SERVER else "invalid_request_error")


def stop_of(reason: object) -> Stop:
    """Why a reply ended. A reason that is not known ends it as Claude Code takes it: as its end."""
    return _STOPS.get(reason, Stop.END) if isinstance(reason, str) else Stop.END


def read_answer(body: bytes) -> Answer:
    """A whole reply. Raises ValueError for what is none."""
    try:
        given = obj(decode(body))
    except msgspec.DecodeError as error:
        raise ValueError(f"the reply is not JSON: {error}") from error
    if not isinstance(given.get("content"), list):
        raise ValueError("the reply has no content")  # noqa: TRY004  # bytes that are no reply
    usage = obj(given.get("usage"))
    return Answer(
        id=text(given.get("id")) or "",
        model=text(given.get("model")) or "",
        parts=tuple(read_parts(given["content"])),
        stop=stop_of(given.get("stop_reason")),
        stop_sequence=text(given.get("stop_sequence")),
        usage=anthropic_usage.split_lanes(usage),
        thinking_tokens=thinking_tokens(usage),
    )


def thinking_tokens(usage: Json) -> int:
    """How much of the output was thinking."""
    return count(obj(usage.get("output_tokens_details")).get("thinking_tokens"))


def read_parts(content: object) -> Iterable[Part]:
    """What a reply says. Blocks of server tools are Anthropic's own affair: their findings are in the text."""
    for block in items(content):
        match block.get("type"):
            case "text" if words := text(block.get("text")):
                yield Text(words)
            case "tool_use":
                arguments = arguments_of(block.get("input"))
                yield ToolUse(text(block.get("id")) or "", text(block.get("name")) or "", arguments)
            case "thinking" | "redacted_thinking":
                yield read_thinking(block)


def write_answer(answer: Answer, ask: Ask) -> bytes:
    """A whole reply, as a `message`."""
    names = known_names(ask)
    return msgspec.json.encode(
        {
            "id": answer.id or made_message_id(repr(answer)),
            "type": "message",
            "role": "assistant",
            "model": answer.model,
            "content": [block for part in answer.parts if (block := _block(part, names)) is not None],
            "stop_reason": answer.stop.value,
            "stop_sequence": answer.stop_sequence,
            "usage": write_usage(answer.usage, answer.thinking_tokens),
        }
    )


def known_names(ask: Ask) -> Mapping[str, str]:
    """The client's names of its tools, by those that a provider with shorter names was given."""
    return asked_names(ask.tools, limits("openai")["tool_name"])


def made_message_id(seed: str) -> str:
    """An id for a reply that came without one."""
    return "msg_" + xxhash.xxh3_128_hexdigest(seed.encode("utf-8", "surrogatepass"))[:24]


def _block(part: Part, names: Mapping[str, str]) -> Json | None:
    match part:
        case Text(words) | Refusal(words):
            return {"type": "text", "text": words} if words else None
        case ToolUse():
            written = write_use(part)
            return {**written, "name": names.get(part.name, part.name)}
        case Thinking() if part.dialect == NAME:
            return write_thinking(part)
    return None


def write_usage(usage: Usage, thinking: int) -> Json:
    """Lanes as a `usage` object: input without what was read from or written to the cache."""
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output,
        **({"output_tokens_details": {"thinking_tokens": thinking}} if thinking else {}),
    }


def read_problem(status: int, body: bytes) -> Problem:
    """An error reply: the provider's words, or the whole body where it is of another form."""
    try:
        given = obj(decode(body))
    except msgspec.DecodeError:
        given = {}
    error = obj(given.get("error"))
    message = text(error.get("message")) or body.decode("utf-8", "replace").strip() or f"HTTP status {status}"
    code = text(obj(error.get("details")).get("error_code"))
    return Problem(text(error.get("type")) or kind_of(status), message, code)


def write_problem(problem: Problem) -> bytes:
    """The body of an error."""
    return msgspec.json.encode(error_object(problem))


def error_object(problem: Problem) -> Json:
    """An error as the Messages API says it, in a body and in the midst of a stream."""
    return {"type": "error", "error": {"type": problem.kind, "message": problem.message}}

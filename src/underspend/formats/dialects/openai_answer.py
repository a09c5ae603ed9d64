"""Whole replies and errors of Chat Completions, read and written."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import xxhash

from underspend.core.usage import Usage
from underspend.formats import openai_usage
from underspend.formats.dialects.anthropic_answer import kind_of
from underspend.formats.dialects.neutral import Answer, Part, Problem, Refusal, Stop, Text, Thinking, ToolUse
from underspend.formats.dialects.openai_parts import NAME
from underspend.formats.dialects.tool_labels import made_id
from underspend.formats.lenient import Json, decode, items, obj, text

_STOPS = {
    "stop": Stop.END,
    "length": Stop.LENGTH,
    "tool_calls": Stop.TOOLS,
    "function_call": Stop.TOOLS,
    "content_filter": Stop.REFUSAL,
    # What servers that copy the dialect say besides.
    "max_tokens": Stop.LENGTH,
    "model_length": Stop.LENGTH,
    "end_turn": Stop.END,
    "eos": Stop.END,
}
FAILED = frozenset({"error", "insufficient_system_resource"})
"""Reasons that are no end: OpenRouter and Mistral, DeepSeek. What came before is not the whole reply."""

_FINISHES = {
    Stop.END: "stop",
    Stop.LENGTH: "length",
    Stop.SEQUENCE: "stop",
    Stop.TOOLS: "tool_calls",
    Stop.REFUSAL: "content_filter",
    Stop.PAUSE: "stop",
}
_KINDS = {
    "server_error": "api_error",
    "internal_error": "api_error",
    "insufficient_quota": "rate_limit_error",
    "rate_limit_exceeded": "rate_limit_error",
    "requests": "rate_limit_error",
    "tokens": "rate_limit_error",
    "invalid_api_key": "authentication_error",
}
_TYPES = {"api_error": "server_error"}
_CODES = {"rate_limit_error": "rate_limit_exceeded", "authentication_error": "invalid_api_key"}
_LEAST_STATUS, _FAULT_OF_THE_SERVER = 400, 500


def read_answer(body: bytes) -> Answer:
    """A whole reply. Raises ValueError for what is none."""
    try:
        given = obj(decode(body))
    except msgspec.DecodeError as error:
        raise ValueError(f"the reply is not JSON: {error}") from error
    choices = items(given.get("choices"))
    if not choices:
        raise ValueError("the reply has no choices")
    choice = choices[0]
    if text(choice.get("finish_reason")) in FAILED:
        raise ValueError(f"the reply broke off: {problem_of(choice.get('error') or choice['finish_reason']).message}")
    name = text(given.get("id")) or ""
    parts = tuple(_parts(obj(choice.get("message")), name))
    sequence = text(choice.get("stop_reason"))
    usage = obj(given.get("usage"))
    return Answer(
        id=name,
        model=text(given.get("model")) or "",
        parts=parts,
        stop=stop_of(
            choice.get("finish_reason"),
            calls=any(isinstance(part, ToolUse) for part in parts),
            refused=any(isinstance(part, Refusal) for part in parts),
            sequence=sequence,
        ),
        stop_sequence=sequence,
        usage=openai_usage.lanes(usage),
        thinking_tokens=openai_usage.thinking(usage),
    )


def stop_of(reason: object, *, calls: bool, refused: bool, sequence: str | None) -> Stop:
    """Why a reply ended. Some servers say `stop` for a reply that calls tools; vLLM names the stop sequence."""
    stop = _STOPS.get(reason, Stop.END) if isinstance(reason, str) else Stop.END
    if stop is not Stop.END:
        return stop
    if calls:
        return Stop.TOOLS
    if refused:
        return Stop.REFUSAL
    return Stop.SEQUENCE if sequence else stop


def _parts(message: Json, reply: str) -> Iterable[Part]:
    if words := text(message.get("reasoning_content")) or text(message.get("reasoning")):
        yield Thinking(words, dialect=NAME)
    content = message.get("content")
    if isinstance(content, str) and content:
        yield Text(content)
    for part in items(content):
        if words := text(part.get("text")):
            yield Text(words)
    if words := text(message.get("refusal")):
        yield Refusal(words)
    for place, call in enumerate(items(message.get("tool_calls"))):
        function = obj(call.get("function"))
        given = function.get("arguments")
        arguments = given if isinstance(given, str) else msgspec.json.encode(obj(given)).decode()
        use = text(call.get("id")) or made_id(reply, place)
        yield ToolUse(use, text(function.get("name")) or "", arguments.strip() or "{}")


def write_answer(answer: Answer, created: int) -> bytes:
    """A whole reply, as a `chat.completion`. `created` is in seconds since the epoch."""
    words = [part.text for part in answer.parts if isinstance(part, Text)]
    refusals = [part.text for part in answer.parts if isinstance(part, Refusal)]
    calls = [write_call(part) for part in answer.parts if isinstance(part, ToolUse)]
    message: Json = {
        "role": "assistant",
        "content": "".join(words) if words else None,
        "refusal": "".join(refusals) if refusals else None,
        **({"tool_calls": calls} if calls else {}),
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_of(answer.stop)}
    return msgspec.json.encode(
        {
            "id": answer.id or made_reply_id(repr(answer)),
            "object": "chat.completion",
            "created": created,
            "model": answer.model,
            "choices": [choice],
            "usage": write_usage(answer.usage, answer.thinking_tokens),
        }
    )


def made_reply_id(seed: str) -> str:
    """An id for a reply that came without one."""
    return "chatcmpl-" + xxhash.xxh3_128_hexdigest(seed.encode("utf-8", "surrogatepass"))[:24]


def write_call(part: ToolUse) -> Json:
    """One of a message's `tool_calls`."""
    function = {"name": part.name, "arguments": part.arguments.strip() or "{}"}
    return {"id": part.id, "type": "function", "function": function}


def finish_of(stop: Stop) -> str:
    """The `finish_reason`."""
    return _FINISHES[stop]


def write_usage(usage: Usage, thinking: int) -> Json:
    """Lanes as a `usage` object: the prompt's tokens include what was read from and written to the cache."""
    details: Json = {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write_5m}
    if usage.cache_write_1h:
        # The SDK's type is one number; how it is made up stands beside it, in Anthropic's words.
        details["cache_write_tokens"] += usage.cache_write_1h
        details["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.prompt + usage.output,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": thinking},
    }


def read_problem(status: int, body: bytes) -> Problem:
    """An error reply. The message is the provider's own, or the whole body where it is of another form."""
    try:
        given = obj(decode(body))
    except msgspec.DecodeError:
        given = {}
    error = given.get("error")
    if not given or not (error or given.get("message") or given.get("detail")):
        return Problem(kind_of(status), body.decode("utf-8", "replace").strip() or f"HTTP status {status}")
    problem = problem_of(error or given)
    return Problem(kind_of(status), problem.message, problem.code)


def problem_of(error: object) -> Problem:
    """An error object as it stands in a body and in the midst of a stream, where no status tells its kind."""
    if isinstance(error, str):
        return Problem("api_error", error)
    given = obj(error)
    inner = given.get("message") or given.get("error") or given.get("detail") or given
    message = inner if isinstance(inner, str) else msgspec.json.encode(inner).decode()
    code, kind = given.get("code"), text(given.get("type"))
    return Problem(_kind(code, kind), message, str(code) if isinstance(code, (str, int)) and code else None)


def _kind(code: object, kind: str | None) -> str:
    if isinstance(code, int) and code >= _LEAST_STATUS:
        return kind_of(code)
    for word in (text(code), kind):
        if word in _KINDS:
            return _KINDS[word]
    return kind if kind is not None and kind.endswith("_error") else "api_error"


def write_problem(problem: Problem) -> bytes:
    """The body of an error."""
    return msgspec.json.encode(error_object(problem))


def error_object(problem: Problem) -> Json:
    """An error as the dialect says it, in a body and in the midst of a stream."""
    code = problem.code or _CODES.get(problem.kind)
    kind = _TYPES.get(problem.kind, problem.kind)
    return {"error": {"message": problem.message, "type": kind, "param": None, "code": code}}

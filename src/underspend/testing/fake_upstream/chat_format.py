"""OpenAI's Chat Completions as a provider serves them, with what it refuses.

Source: the OpenAPI document of OpenAI's API (chat/completions, errors). Embeddings are answered too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from underspend.testing.fake_upstream.foreign import Format, Json, Turn, demand, event, pieces

_ROLES = {"system", "developer", "user", "assistant", "tool"}
_KINDS = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    404: "invalid_request_error",
    429: "rate_limit_exceeded",
}


def _check(path: str, body: Json) -> None:
    if path.endswith("/embeddings"):
        demand(body.get("input"), "missing required parameter: 'input'")
        return
    demand(path.endswith("/chat/completions"), f"unknown request URL: {path}")
    demand(isinstance(body.get("model"), str) and body["model"], "you must provide a model parameter")
    demand(isinstance(body.get("messages"), list) and body["messages"], "missing required parameter: 'messages'")
    for name in ("system", "thinking", "top_k", "stop_sequences", "output_config", "anthropic_version"):
        demand(name not in body, f"unrecognized request argument supplied: {name}")
    demand("stream_options" not in body or body.get("stream"), "'stream_options' is only allowed with stream")
    _check_messages(body["messages"])
    for tool in body.get("tools") or ():
        function = tool.get("function") or {}
        demand(
            tool.get("type") == "function" and function.get("name"), "missing required parameter: 'tools[].function'"
        )
        demand(isinstance(function.get("parameters", {}), dict), "invalid 'parameters'")
    demand(not body.get("tool_choice") or body.get("tools"), "'tool_choice' is only allowed when 'tools' are specified")


def _check_messages(messages: list[Json]) -> None:
    waiting: set[str] = set()
    for message in messages:
        role = message.get("role")
        demand(role in _ROLES, f"invalid role {role}")
        if role == "tool":
            name = message.get("tool_call_id")
            demand(name in waiting, "messages with role 'tool' must be a response to a preceding 'tool_calls'")
            waiting.discard(str(name))
            continue
        demand(not waiting, f"tool_call_ids did not have response messages: {sorted(waiting)}")
        _check_content(role, message)
        for call in message.get("tool_calls") or ():
            demand(role == "assistant", "only an assistant may call tools")
            msgspec.json.decode(call["function"]["arguments"])
            waiting.add(call["id"])
    demand(not waiting, f"tool_call_ids did not have response messages: {sorted(waiting)}")


def _check_content(role: object, message: Json) -> None:
    content = message.get("content")
    demand(content is not None or message.get("tool_calls"), "'content' is required")
    for part in content if isinstance(content, list) else ():
        allowed = {"user": {"text", "image_url", "file", "input_audio"}, "assistant": {"text", "refusal"}}
        demand(part.get("type") in allowed.get(str(role), {"text"}), f"invalid content type {part.get('type')}")


def _rounds(body: Json) -> int:
    messages: list[Json] = body.get("messages") or []
    count = 0
    for message in reversed(messages):
        if message.get("role") == "assistant" and message.get("tool_calls"):
            count += 1
        elif message.get("role") == "user":
            break
    return count


def _usage(turn: Turn) -> Json:
    return {
        "prompt_tokens": turn.prompt,
        "completion_tokens": turn.output,
        "total_tokens": turn.prompt + turn.output,
        "prompt_tokens_details": {"cached_tokens": turn.cached},
        "completion_tokens_details": {"reasoning_tokens": turn.thinking},
    }


def _calls(turn: Turn, name: str) -> list[Json]:
    return [
        {
            "id": f"call_{name}_{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": msgspec.json.encode(call.arguments).decode()},
        }
        for number, call in enumerate(turn.calls)
    ]


def _reason(turn: Turn) -> str:
    return "tool_calls" if turn.calls else "length" if turn.length else "stop"


def _whole(turn: Turn, name: str, model: str, body: Json) -> Json:
    if "input" in body:
        return _embedded(turn, model)
    message: dict[str, Any] = {"role": "assistant", "content": turn.text or None, "refusal": None}
    if turn.calls:
        message["tool_calls"] = _calls(turn, name)
    return {
        "id": f"chatcmpl-{name}",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(turn)}],
        "usage": _usage(turn),
    }


def _embedded(turn: Turn, model: str) -> Json:
    vector = {"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}
    usage = {"prompt_tokens": turn.prompt, "total_tokens": turn.prompt}
    return {"object": "list", "data": [vector], "model": model, "usage": usage}


def _events(turn: Turn, name: str, model: str, body: Json) -> list[bytes]:
    head = {"id": f"chatcmpl-{name}", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": model}
    told = (body.get("stream_options") or {}).get("include_usage") is True
    usage: Json = {"usage": None} if told else {}

    def chunk(delta: Json, reason: str | None = None) -> bytes:
        return event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **usage})

    made = [chunk({"role": "assistant", "content": "" if turn.text else None})]
    made += [chunk({"content": piece}) for piece in pieces(turn.text)]
    for number, call in enumerate(_calls(turn, name)):
        arguments = call["function"]["arguments"]
        call["function"]["arguments"] = ""
        made.append(chunk({"tool_calls": [{"index": number, **call}]}))
        made += [
            chunk({"tool_calls": [{"index": number, "function": {"arguments": piece}}]}) for piece in pieces(arguments)
        ]
    made.append(chunk({}, _reason(turn)))
    if told:
        made.append(event({**head, "choices": [], "usage": _usage(turn)}))
    return [*made, event("[DONE]")]


def _error(status: int, message: str) -> Json:
    kind = _KINDS.get(status, "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


CHAT = Format(
    check=_check,
    rounds=_rounds,
    streams=lambda _, body: body.get("stream") is True,
    model=lambda _, body: str(body["model"]),
    whole=_whole,
    events=_events,
    error=_error,
)
"""OpenAI's Chat Completions."""

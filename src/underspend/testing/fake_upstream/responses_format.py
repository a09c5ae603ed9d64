"""OpenAI's Responses as a provider serves them, with what it refuses.

Source: the OpenAPI document of OpenAI's API (responses, its streaming events).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec

from underspend.testing.fake_upstream.foreign import Format, Json, Turn, demand, event, pieces

_ROLES = {"system", "developer", "user", "assistant"}


def _check(path: str, body: Json) -> None:
    demand(path.endswith("/responses"), f"unknown request URL: {path}")
    demand(isinstance(body.get("model"), str) and body["model"], "missing required parameter: 'model'")
    demand(body.get("input"), "missing required parameter: 'input'")
    for name in ("messages", "system", "max_tokens", "stop_sequences", "stream_options.include_usage"):
        demand(name not in body, f"unknown parameter: '{name}'")
    known: set[str] = set()
    for item in body["input"] if isinstance(body["input"], list) else ():
        kind = item.get("type", "message")
        if kind == "message":
            demand(item.get("role") in _ROLES, f"invalid role {item.get('role')}")
        elif kind == "function_call":
            msgspec.json.decode(item["arguments"])
            known.add(item["call_id"])
        elif kind == "function_call_output":
            demand(
                item["call_id"] in known, f"No tool call found for function call output with call_id {item['call_id']}."
            )
    for tool in body.get("tools") or ():
        demand(tool.get("type") != "function" or tool.get("name"), "missing required parameter: 'tools[0].name'")


def _rounds(body: Json) -> int:
    items = body["input"] if isinstance(body["input"], list) else []
    count, before = 0, ""
    for item in reversed(items):
        kind = item.get("type", "message")
        if kind == "message" and item.get("role") == "user":
            break
        count += kind == "function_call" and before != "function_call"
        before = kind
    return count


def _output(turn: Turn, name: str) -> list[Json]:
    made: list[Json] = []
    if turn.text:
        text = {"type": "output_text", "text": turn.text, "annotations": [], "logprobs": []}
        made.append(
            {"type": "message", "id": f"msg_{name}", "status": "completed", "role": "assistant", "content": [text]}
        )
    for number, call in enumerate(turn.calls):
        arguments = msgspec.json.encode(call.arguments).decode()
        item = {"type": "function_call", "id": f"fc_{name}_{number}", "call_id": f"call_{name}_{number}"}
        made.append({**item, "name": call.name, "arguments": arguments, "status": "completed"})
    return made


def _whole(turn: Turn, name: str, model: str, _: Json) -> Json:
    return {
        "id": f"resp_{name}",
        "object": "response",
        "created_at": 1_795_000_000,
        "status": "incomplete" if turn.length else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if turn.length else None,
        "error": None,
        "model": model,
        "output": _output(turn, name),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": turn.prompt,
            "input_tokens_details": {"cached_tokens": turn.cached},
            "output_tokens": turn.output,
            "output_tokens_details": {"reasoning_tokens": turn.thinking},
            "total_tokens": turn.prompt + turn.output,
        },
    }


def _steps(turn: Turn, name: str) -> Iterator[Json]:
    for index, item in enumerate(_output(turn, name)):
        at = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "message":
            yield {"type": "response.output_item.added", "output_index": index, "item": {**item, "content": []}}
            part = item["content"][0]
            inside = {**at, "content_index": 0}
            yield {"type": "response.content_part.added", **inside, "part": {**part, "text": ""}}
            for piece in pieces(part["text"]):
                yield {"type": "response.output_text.delta", **inside, "delta": piece, "logprobs": []}
            yield {"type": "response.output_text.done", **inside, "text": part["text"], "logprobs": []}
            yield {"type": "response.content_part.done", **inside, "part": part}
        else:
            yield {"type": "response.output_item.added", "output_index": index, "item": {**item, "arguments": ""}}
            for piece in pieces(item["arguments"]):
                yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
            yield {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _events(turn: Turn, name: str, model: str, _: Json) -> list[bytes]:
    whole = _whole(turn, name, model, {})
    begun = {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    last = "response.incomplete" if turn.length else "response.completed"
    numbers = itertools.count()
    steps: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *_steps(turn, name),
        {"type": last, "response": whole},
    ]
    return [event({**step, "sequence_number": next(numbers)}, step["type"]) for step in steps]


def _error(status: int, message: str) -> Json:
    kind = "invalid_request_error" if status == 400 else "server_error"  # noqa: PLR2004  # the status it is for
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


RESPONSES = Format(
    check=_check,
    rounds=_rounds,
    streams=lambda _, body: body.get("stream") is True,
    model=lambda _, body: str(body["model"]),
    whole=_whole,
    events=_events,
    error=_error,
)
"""OpenAI's Responses."""

"""Requests shaped like Claude Code's, of a given size, and the replies of the stand-in provider."""

from __future__ import annotations

import json
import random
from typing import Any

SIZES = {"4k": 4_096, "200k": 200 * 1024, "1m": 1024 * 1024}
MODEL = "claude-sonnet-4-6"
SERIAL = "@" * 16  # the load puts another number here in every request, so that no two prompts end alike
USAGE: dict[str, Any] = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 903,
    "cache_read_input_tokens": 41_207,
    "cache_creation": {"ephemeral_5m_input_tokens": 903, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 260,
    "service_tier": "standard",
}
_DELTAS = 60
_SESSION = "6f1b1c9e-8f0e-4f43-9a55-0d2f4a1c7be2"
_TEXT = """
def return import "path" self → é raise if not value: ValueError(f"{value}") the of and a to in is file test request
handler config cache token block session model price usage stream event reply {} [] 0x1f \\t \\n <tag> // "quoted" ok
"""
_WORDS = _TEXT.split()


def request(size: int, *, stream: bool) -> bytes:
    """A Messages body of `size` bytes: tools, system, and a tool loop of many content blocks."""
    rng = random.Random(size)
    body: dict[str, Any] = {
        "model": MODEL,
        "stream": stream,
        "max_tokens": 32_000,
        "metadata": {"user_id": json.dumps({"device_id": "0" * 64, "account_uuid": "", "session_id": _SESSION})},
        "system": _system(rng, size),
        "tools": _tools(rng, size),
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Please look at the failing test."}]}],
    }
    last = {"role": "user", "content": [_text(f"Serial {SERIAL}: go on.") | {"cache_control": {"type": "ephemeral"}}]}
    number = 0
    room = size - len(_encoded(body)) - len(_encoded(last))
    while room > 4_000:  # noqa: PLR2004  # room for one more exchange and the filler
        pair = _exchange(rng, number)
        room -= len(_encoded(pair))
        body["messages"] += pair
        number += 1
    body["messages"] += [{"role": "assistant", "content": [_text("Understood.")]}, last]
    body["system"][-1]["text"] += "." * (size - len(_encoded(body)))
    return _encoded(body)


def json_reply() -> bytes:
    """A reply of 1.4 KB in one piece."""
    return _encoded(_message([_text("x" * 1_000)], USAGE, "end_turn"))


def sse_reply() -> bytes:
    """The same as 65 events."""
    begun = _message([], USAGE | {"output_tokens": 1}, None)
    delta = {"type": "text_delta", "text": "some twenty letters "}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": _text("")},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for _ in range(_DELTAS)),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": USAGE},
        {"type": "message_stop"},
    ]
    return b"".join(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), _encoded(event)) for event in events)


def blocks(body: bytes) -> int:
    """How many content blocks a request has."""
    call = json.loads(body)
    return len(call["tools"]) + len(call["system"]) + sum(len(message["content"]) for message in call["messages"])


def _message(content: list[dict[str, Any]], usage: dict[str, Any], stop: str | None) -> dict[str, Any]:
    return {
        "id": "msg_01BenchBenchBenchBenchBe",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def _system(rng: random.Random, size: int) -> list[dict[str, Any]]:
    text = _prose(rng, min(16_000, size // 5))
    where = "Primary working directory: /home/dev/shop\nIs directory a git repo: Yes\n"  # as Claude Code says it
    return [_text("You are Claude Code."), _text(where + text) | {"cache_control": {"type": "ephemeral"}}]


def _tools(rng: random.Random, size: int) -> list[dict[str, Any]]:
    count = max(1, min(20, size // 8_000))
    schema = {"type": "object", "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}}}
    return [
        {"name": f"Tool{n}", "description": _prose(rng, min(1_500, size // 8)), "input_schema": schema}
        for n in range(count)
    ]


def _exchange(rng: random.Random, number: int) -> list[dict[str, Any]]:
    use = {"type": "tool_use", "id": f"toolu_{number:022d}", "name": "Tool0", "input": {"path": f"/src/{number}.py"}}
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": _prose(rng, rng.randint(600, 3_000))}
    return [
        {"role": "assistant", "content": [_text(_prose(rng, 200)), use]},
        {"role": "user", "content": [result]},
    ]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _prose(rng: random.Random, length: int) -> str:
    return " ".join(rng.choices(_WORDS, k=length // 5 + 1))[:length]


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

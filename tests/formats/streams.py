"""What the tests of formats share: events, streams, and bytes cut anywhere."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=30)


def pieces(body: bytes, sizes: list[int]) -> list[bytes]:
    """The body in pieces of these sizes, over and over."""
    cut, at, turn = [], 0, 0
    while at < len(body):
        size = sizes[turn % len(sizes)]
        cut.append(body[at : at + size])
        at, turn = at + size, turn + 1
    return cut


def event(value: Any) -> bytes:
    """One server-sent event as the API writes it."""
    return f"event: {value['type']}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n".encode()


def stream(*values: Any) -> bytes:
    return b"".join(map(event, values))


def start(usage: Any, *, id: str = "msg_1", model: str = "claude-opus-5-5", **more: Any) -> dict[str, Any]:  # noqa: A002
    return {"type": "message_start", "message": {"id": id, "model": model, "content": [], "usage": usage, **more}}


def text_delta(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}


def delta(usage: Any, stop_reason: str | None = "end_turn") -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": usage}


STOP = {"type": "message_stop"}

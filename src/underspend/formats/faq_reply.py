"""A curated answer as a reply of the Messages API, whole or streamed.

Nobody was asked, so its usage is zero, and its id says where it comes from.
"""

from __future__ import annotations

from typing import Any

import msgspec

_encode = msgspec.json.encode
_NOTHING = {"input_tokens": 0, "output_tokens": 0}


def written(answer: str, *, name: str, model: str, stream: bool) -> tuple[str, bytes]:
    """The content type and the body. `name` is the entry's; `model` the one that was asked for."""
    text = {"type": "text", "text": answer}
    message: dict[str, Any] = {
        "id": f"msg_underspend_{name}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [text],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": _NOTHING,
    }
    if not stream:
        return "application/json", _encode(message)
    begun = {**message, "content": [], "stop_reason": None}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": answer}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 0}},
        {"type": "message_stop"},
    ]
    return "text/event-stream; charset=utf-8", b"".join(map(_event, events))


def _event(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + _encode(event) + b"\n\n"

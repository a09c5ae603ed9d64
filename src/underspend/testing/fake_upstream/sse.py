"""A rendered reply as the Messages API streams it: one server-sent event per piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from underspend.testing.fake_upstream.faults import Delivery
from underspend.testing.fake_upstream.pieces import Piece
from underspend.testing.fake_upstream.rendering import Rendered
from underspend.testing.fake_upstream.replies import Block, block_text

_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
    "server_tool_use": ("input_json_delta", "partial_json"),
    "compaction": ("compaction_delta", "content"),
}
UNKNOWN_EVENT = b'event: message\ndata: {"type":"future_event","usage":{"input_tokens":99,"output_tokens":99}}\n\n'


def event(payload: dict[str, Any]) -> bytes:
    """One event: its name is the payload's `type`."""
    return b"event: %b\ndata: %b\n\n" % (str(payload["type"]).encode(), msgspec.json.encode(payload))


def stream(rendered: Rendered) -> list[Piece]:
    """The whole stream of a reply, message_start to message_stop."""
    pieces = [Piece(event(_start(rendered)), 1, "message_start")]
    pieces.extend(_blocks(rendered))
    if rendered.reply.unknown_event:
        pieces.append(Piece(UNKNOWN_EVENT, rendered.final.output, "unknown"))
    pieces.append(Piece(event(_delta(rendered)), rendered.final.output, "message_delta"))
    pieces.append(Piece(event({"type": "message_stop"}), rendered.final.output, "message_stop"))
    return pieces


def spoil(pieces: Sequence[Piece], delivery: Delivery) -> list[Piece]:
    """The stream with what the delivery leaves out or puts in: no message_stop, or an `error` event."""
    kept = [p for p in pieces if not (delivery.drop_message_stop and p.kind == "message_stop")]
    if delivery.error_after_event is None:
        return kept
    kept = kept[: delivery.error_after_event]
    error = {"type": delivery.error_type, "message": delivery.error_message}
    held = kept[-1].output_tokens if kept else 0
    return [*kept, Piece(event({"type": "error", "error": error}), held, "error")]


def _start(rendered: Rendered) -> dict[str, Any]:
    message: dict[str, Any] = {
        "model": rendered.model,
        "id": rendered.message_id,
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": rendered.start_usage(),
    }
    return {"type": "message_start", "message": {**message, **rendered.reply.extra}}


def _delta(rendered: Rendered) -> dict[str, Any]:
    delta: dict[str, Any] = {
        "stop_reason": rendered.stop_reason,
        "stop_sequence": rendered.reply.stop_sequence,
        "stop_details": rendered.reply.stop_details,
    }
    if rendered.safeguard_results is not None:
        delta["safeguard_results"] = rendered.safeguard_results
    return {"type": "message_delta", "delta": delta, "usage": rendered.delta_usage()}


def _blocks(rendered: Rendered) -> Iterator[Piece]:
    total = sum(len(block_text(block)) for block in rendered.content)
    done, pings = 0, rendered.reply.pings
    for index, block in enumerate(rendered.content):
        held = _share(rendered.final.output, done, total)
        opening = {"type": "content_block_start", "index": index, "content_block": _opened(block)}
        yield Piece(event(opening), held, "content_block_start")
        for _ in range(pings):
            yield Piece(b'event: ping\ndata: {"type": "ping"}\n\n', held, "ping")
        pings = 0
        for delta, length in _deltas(block, rendered.reply.delta_chars):
            done += length
            held = _share(rendered.final.output, done, total)
            body = {"type": "content_block_delta", "index": index, "delta": delta}
            yield Piece(event(body), held, "content_block_delta")
        yield Piece(event({"type": "content_block_stop", "index": index}), held, "content_block_stop")


def _share(output: int, done: int, total: int) -> int:
    return max(1, output * done // total) if total else output


def _opened(block: Block) -> Block:
    kind = block.get("type")
    if kind == "text":
        return {**block, "text": ""}
    if kind == "thinking":
        return {**block, "thinking": "", "signature": ""}
    if kind in {"tool_use", "server_tool_use"}:
        return {**block, "input": {}}
    if kind == "compaction":
        return {**block, "content": None}
    return block


def _deltas(block: Block, size: int) -> Iterator[tuple[Block, int]]:
    kind = str(block.get("type"))
    if kind not in _DELTAS:
        return
    name, key = _DELTAS[kind]
    text = block_text(block)
    if key == "partial_json":
        yield {"type": name, key: ""}, 0
    step = max(1, size)
    for at in range(0, len(text), step):
        part = text[at : at + step]
        yield {"type": name, key: part}, len(part)
    if kind == "thinking":
        yield {"type": "signature_delta", "signature": block.get("signature", "")}, 0

"""Anthropic replies as bytes, with known usage and known cuts."""

import json

MODEL = "claude-opus-5-5"
BODY = {"model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]}
STREAM_BODY = {**BODY, "stream": True}


def message(*, model=MODEL, message_id="msg_1", usage=None, stop_reason="end_turn") -> bytes:
    usage = usage or {"input_tokens": 100, "output_tokens": 10}
    body = {"id": message_id, "type": "message", "role": "assistant", "model": model}
    return json.dumps(
        {**body, "content": [{"type": "text", "text": "ok"}], "stop_reason": stop_reason, "usage": usage}
    ).encode()


def http_json(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 " + status + b"\r\ncontent-type: application/json\r\nrequest-id: req_1\r\ncontent-length: "
    return head + str(len(body)).encode() + b"\r\n\r\n" + body


def events(*, input_tokens=100, output_tokens=40, deltas=8, message_id="msg_1", model=MODEL) -> list[bytes]:
    start = {"id": message_id, "type": "message", "model": model, "content": []}
    start["usage"] = {"input_tokens": input_tokens, "output_tokens": 1}
    made = [
        ("message_start", {"message": start}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text"}}),
    ]
    made += [
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "twenty characters ok"}})
        for _ in range(deltas)
    ]
    made += [
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": output_tokens}}),
        ("message_stop", {}),
    ]
    return [f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode() for kind, data in made]


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM_END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"

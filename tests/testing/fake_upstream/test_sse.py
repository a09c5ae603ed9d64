from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from underspend.testing.fake_upstream import sse
from underspend.testing.fake_upstream.faults import Delivery
from underspend.testing.fake_upstream.pieces import Piece
from underspend.testing.fake_upstream.prompt_cache import Placement
from underspend.testing.fake_upstream.rendering import render
from underspend.testing.fake_upstream.replies import Reply, thinking, tool_use
from underspend.testing.fake_upstream.view import RequestView

PLACED = Placement(input=10, cache_read=0, cache_write_5m=0, cache_write_1h=0, started=0)


def stream(reply: Reply, **body: Any) -> list[Piece]:
    asked = {"model": "claude-opus-5-5", "max_tokens": 10_000, "messages": [], **body}
    view = RequestView("POST", "/v1/messages", [], json.dumps(asked).encode())
    return sse.stream(render(view, reply, PLACED, None, message_id="msg_1"))


def payloads(pieces: list[Piece]) -> list[dict[str, Any]]:
    return [json.loads(piece.data.split(b"data:", 1)[1]) for piece in pieces]


def test_the_order_of_events() -> None:
    kinds = [p["type"] for p in payloads(stream(Reply(content="Hello", delta_chars=3)))]
    assert kinds == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_an_event_is_framed_as_the_api_frames_it() -> None:
    assert sse.event({"type": "message_stop"}) == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def test_tool_input_travels_as_json_text_after_an_empty_delta() -> None:
    found = payloads(stream(Reply(content=(tool_use("t", {"key": "value"}),), delta_chars=4, pings=0)))
    assert found[1]["content_block"]["input"] == {}
    parts = [p["delta"]["partial_json"] for p in found if p["type"] == "content_block_delta"]
    assert parts[0] == ""
    assert json.loads("".join(parts)) == {"key": "value"}


def test_thinking_ends_with_its_signature() -> None:
    found = payloads(stream(Reply(content=(thinking("hm", signature="sig"),), pings=0)))
    assert found[1]["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert [p["delta"]["type"] for p in found[2:4]] == ["thinking_delta", "signature_delta"]


def test_blocks_without_deltas_come_whole_and_compaction_comes_as_one() -> None:
    redacted = {"type": "redacted_thinking", "data": "x"}
    fallback = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}
    compaction = {"type": "compaction", "content": "summary"}
    found = payloads(stream(Reply(content=(redacted, fallback, compaction), pings=0)))
    starts = [p["content_block"] for p in found if p["type"] == "content_block_start"]
    assert starts == [redacted, fallback, {"type": "compaction", "content": None}]
    deltas = [p["delta"] for p in found if p["type"] == "content_block_delta"]
    assert deltas == [{"type": "compaction_delta", "content": "summary"}]


def test_an_unknown_event_carries_a_usage_of_its_own() -> None:
    assert any(p["type"] == "future_event" for p in payloads(stream(Reply(content="x", unknown_event=True))))


def test_safeguard_results_ride_on_message_delta() -> None:
    found = payloads(stream(Reply(content="x"), safeguards=[{"type": "dangerous_tool_use"}]))
    assert found[-2]["delta"]["safeguard_results"][0]["status"]["type"] == "available"


def test_spoiling_leaves_out_message_stop_or_puts_in_an_error() -> None:
    whole = stream(Reply(content="x"))
    assert sse.spoil(whole, Delivery()) == whole
    assert sse.spoil(whole, Delivery(drop_message_stop=True)) == whole[:-1]
    broken = sse.spoil(whole, Delivery(error_after_event=2))
    assert broken[:2] == whole[:2]
    assert payloads(broken)[2] == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
    }
    assert len(sse.spoil(whole, Delivery(error_after_event=0))) == 1


@given(texts=st.lists(st.text(min_size=1, max_size=80), max_size=4), size=st.integers(1, 30))
def test_deltas_add_up_and_held_output_never_falls(texts: list[str], size: int) -> None:
    pieces = stream(Reply(content=tuple(texts), delta_chars=size))
    held = [piece.output_tokens for piece in pieces]
    assert held[1:] == sorted(held[1:])
    deltas = [p for p in payloads(pieces) if p["type"] == "content_block_delta"]
    for index, text in enumerate(texts):
        assert "".join(d["delta"]["text"] for d in deltas if d["index"] == index) == text

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.streams import BLOCK, CUTS, STOP, delta, pieces, start, stream, text_delta
from underspend.core.usage import Metered, Unit, Usage
from underspend.formats.anthropic_reply import AnthropicJsonMeter, AnthropicStreamMeter, metered_message

FULL = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 30,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    "cache_read_input_tokens": 40,
    "output_tokens": 1,
    "service_tier": "standard",
    "inference_geo": "us",
}
REPLY = stream(
    start(FULL),
    BLOCK,
    {"type": "ping"},
    *(text_delta(f"word {n} ") for n in range(30)),
    {"type": "content_block_stop", "index": 0},
    delta({"output_tokens": 77, "output_tokens_details": {"thinking_tokens": 5}}),
    STOP,
)
END_SEEN = REPLY.index(b"event: message_delta") + len(b"event: message_delta\ndata: {")


def metered(body: bytes, cuts: list[int] | None = None) -> Metered:
    meter = AnthropicStreamMeter()
    for piece in pieces(body, cuts or [len(body) or 1]):
        meter.feed(piece)
    return meter.finish()


def test_a_whole_stream() -> None:
    usage = Usage(10, 20, 10, 40, 77)
    assert metered(REPLY) == Metered(
        provider="anthropic",
        model="claude-opus-5-5",
        units=(Unit("message", usage),),
        reported=usage,
        message_id="msg_1",
        stop_reason="end_turn",
        thinking_tokens=5,
        service_tier="standard",
        inference_geo="us",
    )


@given(CUTS)
def test_any_cut_of_a_stream_is_metered_as_the_whole(cuts: list[int]) -> None:
    assert metered(REPLY, cuts) == metered(REPLY)


@given(st.integers(0, END_SEEN), CUTS)
def test_a_cut_stream_says_so_and_counts_what_was_seen(length: int, cuts: list[int]) -> None:
    taking = AnthropicStreamMeter()
    for piece in pieces(REPLY[:length], cuts):
        taking.feed(piece)
    seen = taking.seen
    cut = taking.finish()
    assert not cut.complete
    assert cut.usage.prompt == (80 if cut.has_usage else 0)
    assert cut.usage.output >= seen.output
    # The words alone, at four bytes to a token, without what the last, torn event held.
    whole_deltas = REPLY[:length].split(b"\n\n")[:-1]
    said = sum(len(f"word {n} ") for n, _ in enumerate(part for part in whole_deltas if b"text_delta" in part))
    assert cut.usage.output >= said // 4


def test_seen_grows_with_the_stream() -> None:
    taking = AnthropicStreamMeter()
    assert (taking.seen, taking.message_id) == (Usage(), None)
    taking.feed(stream(start(FULL), BLOCK))
    assert (taking.seen, taking.message_id) == (Usage(10, 20, 10, 40, 1), "msg_1")
    taking.feed(stream(text_delta("x" * 400)))
    assert taking.seen.output == 100
    taking.feed(stream(delta({"output_tokens": 77})))
    assert taking.seen.output == 77


def test_a_delta_overwrites_even_with_less() -> None:
    assert (
        metered(stream(start({"input_tokens": 612, "output_tokens": 1}), delta({"input_tokens": 28}))).usage.input == 28
    )


def test_a_delta_without_input_keeps_the_starts() -> None:
    usage = metered(stream(start(FULL), delta({"output_tokens": 8, "input_tokens": None}), STOP)).usage
    assert usage == Usage(10, 20, 10, 40, 8)


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "future_event", "usage": {"input_tokens": 99, "output_tokens": 99}},
        {"type": "future_event", "message": {"usage": {"input_tokens": 99}}},
        {"type": "content_block_delta", "delta": {"type": "future_delta", "usage": {"output_tokens": 99}}},
    ],
)
def test_unknown_events_are_never_billed(odd: dict[str, Any]) -> None:
    body = stream(start({"input_tokens": 3, "output_tokens": 1}), odd, delta({"output_tokens": 4}), odd, STOP)
    assert metered(body).usage == Usage(3, 0, 0, 0, 4)


def test_a_reply_that_comes_whole_in_its_start_is_complete() -> None:
    body = stream(start({"input_tokens": 0, "output_tokens": 0}, stop_reason="tool_use", content=[{}]), STOP)
    assert metered(body).complete
    assert not metered(stream(start({"input_tokens": 1}), STOP)).complete


def test_a_second_start_with_the_same_id_replaces_the_first() -> None:
    body = stream(start({"input_tokens": 5}), start({"input_tokens": 7}), delta({"output_tokens": 2}), STOP)
    assert metered(body).usage == Usage(7, 0, 0, 0, 2)


def test_two_replies_in_one_stream_are_both_billed() -> None:
    body = stream(
        start({"input_tokens": 5}, model="claude-opus-5"),
        delta({"output_tokens": 2, "server_tool_use": {"web_search_requests": 1}}),
        STOP,
        start({"input_tokens": 7}, id="msg_2"),
        delta({"output_tokens": 3}),
        STOP,
    )
    reply = metered(body)
    assert reply.units == (
        Unit("message", Usage(5, 0, 0, 0, 2), "claude-opus-5"),
        Unit("message", Usage(7, 0, 0, 0, 3), "claude-opus-5-5"),
    )
    assert (reply.usage, reply.reported) == (Usage(12, 0, 0, 0, 5), Usage(12, 0, 0, 0, 5))
    assert (reply.complete, reply.web_searches) == (True, 1)
    assert reply.notes == ("2 replies in one stream",)


def test_a_reply_cut_short_by_another_is_counted_as_far_as_it_was_seen() -> None:
    body = stream(
        start({"input_tokens": 5}),
        text_delta("x" * 40),
        start({"input_tokens": 7}, id="msg_2"),
        delta({"output_tokens": 3}),
        STOP,
    )
    taking = AnthropicStreamMeter()
    taking.feed(body)
    assert not taking.finish().complete
    assert taking.finish().usage.output == taking.seen.output == 13


@pytest.mark.parametrize(
    ("content", "reason", "free"),
    [([], "refusal", True), ([{"type": "text"}], "refusal", False), ([], "end_turn", False)],
)
def test_only_a_refusal_before_any_output_is_free(content: list[Any], reason: str, *, free: bool) -> None:
    body = {"content": content, "stop_reason": reason, "usage": {"input_tokens": 5, "output_tokens": 2}}
    assert metered_message(body).refused_free is free
    blocks = [BLOCK for _ in content]
    assert metered(stream(start({"input_tokens": 5}), *blocks, delta({}, reason), STOP)).refused_free is free


def test_what_changes_the_price_is_read() -> None:
    usage = {
        "input_tokens": 1,
        "speed": "fast",
        "service_tier": "batch",
        "server_tool_use": {"web_search_requests": 3},
        "fallback_credit": {"status": {"type": "redeemed"}},
    }
    reply = metered_message({"model": "m", "usage": usage})
    assert (reply.speed, reply.service_tier, reply.web_searches, reply.fallback_credit) == ("fast", "batch", 3, True)


@pytest.mark.parametrize(
    "bad",
    [
        b"data: {\n\n",
        b"data: \xff\n\n",
        b'data: {"type":"message_start","message":{"usage":{"input_tokens":1e999}}}\n\n',
    ],
)
def test_an_event_that_is_no_json_is_skipped_and_said(bad: bytes) -> None:
    reply = metered(bad + REPLY)
    assert reply.usage == metered(REPLY).usage
    assert reply.notes == ("an event that is not JSON was skipped",)


def test_an_error_event_is_noted() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "private"}}
    cut = metered(stream(start({"input_tokens": 5}), error))
    assert (cut.complete, cut.notes) == (False, ("error in the stream: overloaded_error",))


@given(
    st.lists(st.sampled_from([b"data: ", b"{", b"}", b'"type":', b'"message_start"', b"\xff", b"\n\n", b"[]", b"1"]))
)
def test_no_bytes_make_the_meters_raise(parts: list[bytes]) -> None:
    body = b"".join(parts)
    assert metered(body).provider == "anthropic"
    as_json = AnthropicJsonMeter()
    as_json.feed(body)
    assert not as_json.finish().has_usage


@given(CUTS)
def test_json_in_any_cut(cuts: list[int]) -> None:
    body = {"id": "msg_1", "model": "claude-opus-5-5", "content": [{}], "stop_reason": "end_turn", "usage": FULL}
    taking = AnthropicJsonMeter()
    for piece in pieces(json.dumps(body).encode(), cuts):
        taking.feed(piece)
    reply = taking.finish()
    assert reply == metered_message(body)
    assert (reply.usage, reply.complete, reply.message_id) == (Usage(10, 20, 10, 40, 1), True, "msg_1")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"usage": null}', b'{"type":"error"}'])
def test_what_is_no_message_has_no_usage(body: bytes) -> None:
    taking = AnthropicJsonMeter()
    taking.feed(body)
    reply = taking.finish()
    assert (reply.has_usage, reply.complete, reply.units) == (False, False, ())

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from formats.streams import CUTS, pieces, stream
from underspend.core.usage import Metered, Unit, Usage
from underspend.formats.openai_reply import OpenAiMeter, metered_body

CHAT_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 60},
    "completion_tokens_details": {"reasoning_tokens": 7},
}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-5.6-sol",
    "service_tier": "flex",
    "choices": [{"finish_reason": "stop"}],
    "usage": CHAT_USAGE,
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt-5.6-sol",
    "status": "completed",
    "usage": {"input_tokens": 100, "output_tokens": 20, "input_tokens_details": {"cached_tokens": 60}},
    "tool_usage": {"web_search": {"num_requests": 2}},
}
LANES = Usage(40, cache_read=60, output=20)


def sse(*values: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values) + b"data: [DONE]\n\n"


CHAT_STREAM = sse(
    {**CHAT, "object": "chat.completion.chunk", "usage": None, "choices": [{"delta": {}, "finish_reason": None}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": None},
    {"choices": [], "usage": CHAT_USAGE},
)
RESPONSES_STREAM = stream(
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "usage": None}},
    {"type": "response.output_text.delta", "delta": "hello", "usage": {"input_tokens": 99}},
    {"type": "response.completed", "response": RESPONSE},
)


def metered(body: bytes, *, streamed: bool, cuts: list[int] | None = None) -> Metered:
    meter = OpenAiMeter(stream=streamed)
    for piece in pieces(body, cuts or [len(body) or 1]):
        meter.feed(piece)
    return meter.finish()


def test_chat() -> None:
    assert metered(json.dumps(CHAT).encode(), streamed=False) == Metered(
        provider="openai",
        model="gpt-5.6-sol",
        units=(Unit("message", LANES),),
        reported=LANES,
        message_id="chatcmpl-1",
        stop_reason="stop",
        thinking_tokens=7,
        service_tier="flex",
    )


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete", "response.failed"])
def test_responses_end_in_three_ways(kind: str) -> None:
    reply = metered(stream({"type": kind, "response": RESPONSE}), streamed=True)
    assert (reply.usage, reply.stop_reason, reply.web_searches) == (LANES, "completed", 2)


@pytest.mark.parametrize(
    ("body", "streamed"),
    [
        (json.dumps(CHAT).encode(), False),
        (json.dumps(RESPONSE).encode(), False),
        (CHAT_STREAM, True),
        (RESPONSES_STREAM, True),
    ],
)
@given(cuts=CUTS)
def test_any_cut_is_metered_as_the_whole(body: bytes, cuts: list[int], *, streamed: bool) -> None:
    cut = metered(body, streamed=streamed, cuts=cuts)
    assert cut == metered(body, streamed=streamed)
    assert (cut.usage, cut.model, cut.complete) == (LANES, "gpt-5.6-sol", True)


@pytest.mark.parametrize("body", [CHAT_STREAM, RESPONSES_STREAM])
def test_a_stream_without_its_end_is_not_complete(body: bytes) -> None:
    reply = metered(body[: body.rindex(b"data: {")], streamed=True)
    assert (reply.complete, reply.has_usage, reply.units) == (False, False, ())


def test_whose_reply_it_was_is_known_though_the_stream_broke_off() -> None:
    meter = OpenAiMeter(stream=True)
    meter.feed(RESPONSES_STREAM[: RESPONSES_STREAM.rindex(b"data: {")])
    assert meter.message_id == "resp_1"
    reply = meter.finish()
    assert (reply.model, reply.message_id, reply.stop_reason, reply.complete) == ("gpt-5.6-sol", "resp_1", None, False)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b'{"usage": 3}', b'{"error": {"type": "x"}}'])
def test_what_holds_no_usage_is_not_complete(body: bytes) -> None:
    assert not metered(body, streamed=False).has_usage
    assert not metered(b"data: " + body + b"\n\n", streamed=True).has_usage


def test_groqs_usage_is_found_and_the_provider_is_kept() -> None:
    reply = metered_body({"model": "m", "x_groq": {"usage": CHAT_USAGE}}, provider="groq")
    assert (reply.usage, reply.provider) == (LANES, "groq")


def test_an_end_without_its_blank_line_still_counts() -> None:
    assert metered(RESPONSES_STREAM.rstrip(), streamed=True) == metered(RESPONSES_STREAM, streamed=True)

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from formats.streams import CUTS, pieces
from underspend.core.usage import Metered, Unit, Usage
from underspend.formats.gemini_reply import GeminiMeter

USAGE = {
    "promptTokenCount": 100,
    "cachedContentTokenCount": 60,
    "toolUsePromptTokenCount": 5,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 7,
    "serviceTier": "flex",
}
EVENTS: list[dict[str, Any]] = [
    {
        "candidates": [{}],
        "modelVersion": "gemini-3.8-flash",
        "responseId": "r1",
        "usageMetadata": {"promptTokenCount": 100},
    },
    {"candidates": [{"finishReason": "STOP"}], "usageMetadata": USAGE},
]
SSE = b"".join(b"data: " + json.dumps(event).encode() + b"\r\n\r\n" for event in EVENTS)
WHOLE = {**EVENTS[0], **EVENTS[1]}


def metered(body: bytes, *, streamed: bool, cuts: list[int] | None = None) -> Metered:
    meter = GeminiMeter(stream=streamed)
    for piece in pieces(body, cuts or [len(body) or 1]):
        meter.feed(piece)
    return meter.finish()


@pytest.mark.parametrize(
    ("body", "streamed"),
    [(SSE, True), (json.dumps(EVENTS).encode(), False), (json.dumps(WHOLE).encode(), False)],
)
@given(cuts=CUTS)
def test_any_shape_in_any_cut(body: bytes, cuts: list[int], *, streamed: bool) -> None:
    lanes = Usage(45, cache_read=60, output=27)
    assert metered(body, streamed=streamed, cuts=cuts) == Metered(
        provider="google",
        model="gemini-3.8-flash",
        units=(Unit("message", lanes),),
        reported=lanes,
        message_id="r1",
        stop_reason="STOP",
        thinking_tokens=7,
        service_tier="flex",
    )


def test_a_stream_that_broke_off_is_not_complete_though_it_has_counts() -> None:
    reply = metered(SSE[: SSE.rindex(b"data:")], streamed=True)
    assert (reply.complete, reply.has_usage, reply.usage) == (False, True, Usage(100))
    blocked = b'data: {"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3}}\n\n'
    assert metered(blocked, streamed=True).complete


def test_what_is_known_shows_as_it_comes() -> None:
    meter = GeminiMeter(stream=True)
    meter.feed(SSE[: SSE.rindex(b"data:")])
    assert (meter.message_id, meter.seen) == ("r1", Usage(100))


def test_counts_of_a_stream_are_cumulative_not_summed() -> None:
    twice = b"".join(b"data: " + json.dumps({"usageMetadata": USAGE}).encode() + b"\n\n" for _ in range(2))
    assert metered(twice, streamed=True).usage.prompt == 105


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"[7]", b'{"usageMetadata": 3}', b'{"error": {}}'])
def test_what_holds_no_usage_is_not_complete(body: bytes) -> None:
    reply = metered(body, streamed=False)
    assert (reply.complete, reply.has_usage, reply.units) == (False, False, ())


def test_an_end_without_its_blank_line_still_counts() -> None:
    assert metered(SSE.rstrip(), streamed=True) == metered(SSE, streamed=True)


def test_more_cached_than_asked_is_no_negative_input() -> None:
    body = {"usageMetadata": {"promptTokenCount": 5, "cachedContentTokenCount": 5}}
    assert metered(json.dumps(body).encode(), streamed=False).usage == Usage(0, cache_read=5)

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from underspend.testing.fake_upstream.bill import Bill, Counts, charge
from underspend.testing.fake_upstream.prices import PriceList
from underspend.testing.fake_upstream.recorded import Reading, Recorded, from_payloads, from_sse, read

PRICES = PriceList()


def billed(reading: Reading) -> Bill:
    return charge(reading.units, reading.terms, PRICES, web_search=PRICES.web_search)


def message(usage: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"id": "msg_r", "type": "message", "model": "claude-opus-5-5", "usage": usage, **more}).encode()


def reading_of(recorded: Recorded) -> Reading:
    found = read(recorded)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("sizes", "expected"), [((), [b"abcdef"]), ((2, 3), [b"ab", b"cde", b"f"]), ((6,), [b"abcdef"])]
)
def test_the_body_is_cut_at_the_recorded_sizes(sizes: tuple[int, ...], expected: list[bytes]) -> None:
    assert [p.data for p in Recorded(body=b"abcdef", chunk_sizes=sizes).pieces()] == expected


def test_hop_by_hop_headers_stay_behind() -> None:
    recorded = Recorded(headers=(("Transfer-Encoding", "chunked"), ("X-A", "1"), ("x-a", "2")))
    assert recorded.kept_headers() == [("X-A", "1"), ("x-a", "2")]


def test_the_last_delta_wins_even_when_it_is_lower_and_null_says_nothing() -> None:
    recorded = from_payloads(
        [
            json.dumps(
                {
                    "type": "message_start",
                    "message": {
                        "id": "msg_r",
                        "model": "claude-opus-4-6",
                        "usage": {
                            "input_tokens": 60_385,
                            "cache_creation_input_tokens": 10,
                            "cache_creation": {"ephemeral_1h_input_tokens": 4},
                            "output_tokens": 5,
                        },
                    },
                }
            ),
            '{"type":"future_event","usage":{"input_tokens":99,"output_tokens":99}}',
            (
                '{"type":"message_delta","delta":{"stop_reason":"end_turn"},'
                '"usage":{"input_tokens":612,"cache_creation_input_tokens":null,"output_tokens":28}}'
            ),
        ]
    )
    assert reading_of(recorded).units[0].counts == Counts(612, 6, 4, 0, 28)
    assert recorded.body.startswith(b"event: message_start\n")
    assert len(recorded.chunk_sizes) == 3


def test_iterations_replace_the_top_level_and_a_declined_attempt_is_free() -> None:
    entries = [
        {"type": "message", "model": "claude-fable-5", "input_tokens": 408, "output_tokens": 0},
        {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 412, "output_tokens": 264},
    ]
    usage = {"input_tokens": 412, "output_tokens": 264, "iterations": entries}
    found = reading_of(Recorded(body=message(usage, content=[{}])))
    assert billed(found).picodollars == 8660 * 10**6


def test_modifiers_are_read_from_usage() -> None:
    usage = {
        "input_tokens": 10**6,
        "output_tokens": 0,
        "service_tier": "batch",
        "inference_geo": "us",
        "server_tool_use": {"web_search_requests": 1},
    }
    found = reading_of(Recorded(body=message(usage, content=[{}])))
    assert billed(found).picodollars == 22 * 10**11 + 10**10


def test_a_refusal_without_content_is_free() -> None:
    usage = {"input_tokens": 18, "output_tokens": 5}
    refused = reading_of(Recorded(body=message(usage, content=[], stop_reason="refusal")))
    assert billed(refused) == Bill()


def test_compressed_bodies_are_read_and_kept_as_they_are() -> None:
    packed = gzip.compress(message({"input_tokens": 1, "output_tokens": 1}))
    recorded = Recorded(headers=(("Content-Encoding", "gzip"),), body=packed)
    assert reading_of(recorded).message_id == "msg_r"
    assert recorded.pieces()[0].data == packed


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"type":"error"}', b"data: {broken message_start"])
def test_what_is_no_message_has_no_bill(body: bytes) -> None:
    assert read(Recorded(body=body)) is None


def test_a_text_stream_is_taken_as_it_came() -> None:
    raw = "event: ping\r\ndata: {}\r\n\r\n"
    assert from_sse(raw, chunk_sizes=[3]).body == raw.encode()

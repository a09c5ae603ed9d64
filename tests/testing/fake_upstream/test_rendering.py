from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.testing.fake_upstream.bill import Counts
from underspend.testing.fake_upstream.pieces import Piece
from underspend.testing.fake_upstream.prices import PriceList
from underspend.testing.fake_upstream.prompt_cache import Placement
from underspend.testing.fake_upstream.rendering import Rendered, render
from underspend.testing.fake_upstream.replies import Growth, Iteration, Reply, server_tool, tool_use
from underspend.testing.fake_upstream.view import RequestView

PRICES = PriceList()
PLACED = Placement(input=10, cache_read=40, cache_write_5m=20, cache_write_1h=30, started=0)


def rendered(reply: Reply, model: str = "claude-opus-5-5", **body: Any) -> Rendered:
    asked = {"model": model, "max_tokens": 1000, "messages": [], **body}
    view = RequestView("POST", "/v1/messages", [], json.dumps(asked).encode())
    return render(view, reply, PLACED, PRICES.find(model), message_id="msg_1")


def bill(made: Rendered, streamed: list[Piece] | None = None) -> int:
    return made.charge(PRICES, PRICES.web_search, streamed).bill.picodollars


def test_start_usage_has_the_split_and_delta_usage_has_not() -> None:
    made = rendered(Reply(content="abcd"))
    assert made.start_usage() == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 50,
        "cache_read_input_tokens": 40,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30},
        "output_tokens": 1,
        "service_tier": "standard",
        "inference_geo": "global",
    }
    assert made.delta_usage() == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 50,
        "cache_read_input_tokens": 40,
        "output_tokens": 1,
    }


def test_older_models_report_only_output_at_the_end() -> None:
    assert rendered(Reply(content="abcd", bare_delta=True)).delta_usage() == {"output_tokens": 1}


def test_a_server_tool_loop_grows_the_usage_with_5m_writes() -> None:
    made = rendered(Reply(content="x", growth=Growth(input_tokens=5, cache_write_5m=7, cache_read=9)))
    assert made.started == Counts(10, 20, 30, 40, 1)
    assert made.final == Counts(15, 27, 30, 49, 1)
    rates = PRICES.rates("claude-opus-5-5")
    assert rates is not None
    assert bill(made) == 15 * 4 * 10**6 + 27 * 5 * 10**6 + 30 * 8 * 10**6 + 49 * 200_000 + 20 * 10**6


def test_the_served_model_is_the_dated_one_unless_scripted() -> None:
    assert rendered(Reply(content="x"), "claude-haiku-4-5").message()["model"] == "claude-haiku-4-5-20251001"
    assert rendered(Reply(content="x", model="claude-opus-5")).message()["model"] == "claude-opus-5"


def test_compaction_is_billed_beside_the_top_level_usage() -> None:
    extra = Iteration(type="compaction", input_tokens=60_385, output_tokens=522)
    made = rendered(Reply(content="x", iterations=(extra,)))
    usage = made.usage()
    assert usage["input_tokens"] == 10
    assert [entry["type"] for entry in usage["iterations"]] == ["compaction", "message"]
    assert bill(made) - bill(rendered(Reply(content="x"))) == 60_385 * 4 * 10**6 + 522 * 20 * 10**6


def test_an_advisor_is_billed_at_its_own_model() -> None:
    advisor = Iteration(type="advisor_message", model="claude-fable-5-2", input_tokens=100, output_tokens=10)
    made = rendered(Reply(content="x", iterations=(advisor,)))
    assert bill(made) - bill(rendered(Reply(content="x"))) == 100 * 8 * 10**6 + 10 * 40 * 10**6


def test_a_fallback_leaves_the_declined_attempt_unbilled() -> None:
    tried = Iteration(type="message", model="claude-fable-5", input_tokens=408, declined=True)
    served = Iteration(type="fallback_message", model="claude-opus-4-8", input_tokens=412, output_tokens=264)
    made = rendered(Reply(content="x", iterations=(tried, served)), "claude-fable-5")
    assert made.message()["model"] == "claude-opus-4-8"
    assert made.message()["usage"]["input_tokens"] == 412
    assert "declined" not in made.usage()["iterations"][0]
    assert bill(made) == 8660 * 10**6


def test_a_refusal_before_output_is_free_although_it_reports_usage() -> None:
    made = rendered(Reply(stop_reason="refusal", output_tokens=5))
    assert made.usage()["output_tokens"] == 5
    assert bill(made) == 0
    assert bill(rendered(Reply(content="I", stop_reason="refusal"))) > 0


@pytest.mark.parametrize(
    ("reply", "body", "factor"),
    [
        (Reply(content="x"), {"inference_geo": "us"}, "11/10"),
        (Reply(content="x", inference_geo="us"), {}, "11/10"),
        (Reply(content="x", service_tier="batch"), {}, "1/2"),
        (Reply(content="x", web_searches=2), {}, "search"),
    ],
)
def test_modifiers_of_the_bill(reply: Reply, body: dict[str, Any], factor: str) -> None:
    plain = bill(rendered(Reply(content="x")))
    wanted = {"11/10": plain * 11 // 10, "1/2": plain // 2, "search": plain + 2 * 10**10}
    assert bill(rendered(reply, **body)) == wanted[factor]


def test_fast_mode_is_said_and_billed() -> None:
    made = rendered(Reply(content="x"), speed="fast")
    assert made.usage()["speed"] == "fast"
    assert bill(made) == 10 * 8 * 10**6 + 20 * 10**7 + 30 * 16 * 10**6 + 40 * 400_000 + 40 * 10**6
    assert rendered(Reply(content="x"), "claude-opus-4-6", speed="fast").usage()["speed"] == "standard"


def test_a_cut_stream_is_billed_for_what_was_sent() -> None:
    made = rendered(Reply(content="a" * 400))
    started = Piece(b"", 1, "message_start")
    half = Piece(b"", 50, "content_block_delta")
    prompt = bill(made, [])
    assert prompt == 10 * 4 * 10**6 + 20 * 5 * 10**6 + 30 * 8 * 10**6 + 40 * 200_000
    assert bill(made, [started, half]) == prompt + 50 * 20 * 10**6
    assert bill(made, [started, Piece(b"", 100, "message_delta")]) == bill(made) == prompt + 100 * 20 * 10**6
    charge = made.charge(PRICES, 0, [started, half])
    assert charge.usage["output_tokens"] == 50


def test_max_tokens_cuts_the_reply() -> None:
    made = rendered(Reply(content="a" * 400), max_tokens=5)
    assert (made.stop_reason, made.final.output) == ("max_tokens", 5)
    assert made.content == [{"type": "text", "text": "a" * 20}]
    call = rendered(Reply(content=("ab", tool_use("t", {"k": "v" * 100}))), max_tokens=5)
    assert call.content == [{"type": "text", "text": "ab"}]


def test_prewarming_gives_no_output() -> None:
    made = rendered(Reply(content="hello"), max_tokens=0)
    assert (made.content, made.final.output, made.stop_reason) == ([], 0, "max_tokens")


def test_tool_ids_are_unique_and_results_follow_their_call() -> None:
    made = rendered(Reply(content=(tool_use("a", {}), tool_use("b", {}), *server_tool("web_search", {}, []))))
    ids = [block.get("id") for block in made.content[:3]]
    assert len(set(ids)) == 3
    assert made.content[3]["tool_use_id"] == ids[2]
    assert made.stop_reason == "tool_use"


def test_safeguards_are_answered_for_each_tool_use() -> None:
    asked = [{"type": "dangerous_tool_use", "classifier_context": {}}]
    made = rendered(Reply(content=(tool_use("t", {}, tool_id="toolu_x"),)), safeguards=asked)
    verdict = {"toolu_x": {"type": "evaluated", "outcome": "not_flagged"}}
    status = {"type": "available", "tool_uses": verdict}
    assert made.safeguard_results == [{"type": "dangerous_tool_use", "status": status}]
    assert made.message()["safeguard_results"] == made.safeguard_results
    assert rendered(Reply(content="x")).safeguard_results is None
    assert rendered(Reply(content="x", answer_safeguards=False), safeguards=asked).safeguard_results is None


@given(st.integers(0, 300), st.integers(0, 300))
def test_output_never_exceeds_max_tokens(length: int, limit: int) -> None:
    made = rendered(Reply(content="é" * length), max_tokens=limit)
    assert made.final.output <= limit
    assert (made.stop_reason == "max_tokens") is (-(-2 * length // 4) > limit)

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.recorded import ROOT, recordings
from underspend.core.replies import Ended, Rules, reason_not_to_keep
from underspend.formats.reply_ends import ended

TEXT = {"type": "text", "text": "hello"}
MESSAGE = {"type": "message", "id": "m", "stop_reason": "end_turn", "content": [TEXT], "usage": {}}


def stream(*events: Any, done: bool = False) -> bytes:
    named = b"".join(b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n" for event in events)
    return named + (b"data: [DONE]\n\n" if done else b"")


def anthropic_stream(*, stop: str = "end_turn", block: Any = TEXT, extra: tuple[Any, ...] = ()) -> bytes:
    return stream(
        {"type": "message_start", "message": {"id": "m", "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_stop", "index": 0},
        *extra,
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {}},
        {"type": "message_stop"},
    )


def why(body: bytes | Any, *, streamed: bool = False, dialect: str = "anthropic", status: int = 200) -> str | None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return reason_not_to_keep(ended(raw, status=status, stream=streamed, dialect=dialect), Rules())


CHAT = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "x", "refusal": None}}]}
DELTA = {"choices": [{"index": 0, "finish_reason": None, "delta": {"content": "x"}}]}
LAST = {"choices": [{"index": 0, "finish_reason": "stop", "delta": {}}]}
RESPONSE = {
    "status": "completed",
    "output": [{"type": "reasoning"}, {"type": "message", "content": [{"type": "output_text"}]}],
    "error": None,
}
COMPLETED = {"type": "response.completed", "response": RESPONSE}
GEMINI = {"candidates": [{"content": {"parts": [{"text": "x", "thought": True}]}, "finishReason": "STOP"}]}
BEGUN = {"candidates": [{"content": {"parts": [{"text": "x"}]}}]}


@pytest.mark.parametrize(
    ("body", "streamed", "dialect"),
    [
        (MESSAGE, False, "anthropic"),
        ({**MESSAGE, "stop_reason": "stop_sequence"}, False, "anthropic"),
        ({**MESSAGE, "content": [{"type": "thinking", "signature": "s"}, TEXT]}, False, "anthropic"),
        (anthropic_stream(), True, "anthropic"),
        (anthropic_stream().replace(b"\n", b"\r\n") + b": bye\r\n\r\n", True, "anthropic"),
        (CHAT, False, "openai"),
        (stream(DELTA, LAST, {"choices": [], "usage": {}}, done=True), True, "openai"),
        (RESPONSE, False, "responses"),
        (stream({"type": "response.created"}, COMPLETED), True, "responses"),
        (GEMINI, False, "gemini"),
        ([BEGUN, GEMINI], False, "gemini"),
        (stream(BEGUN, GEMINI), True, "gemini"),
    ],
)
def test_a_reply_that_says_all_it_had_to_say_may_be_kept(
    body: Any, streamed: bool, dialect: str
) -> None:  # a parameter
    assert why(body, streamed=streamed, dialect=dialect) is None


USE = {"type": "tool_use", "id": "t", "name": "n", "input": {}}


@pytest.mark.parametrize(
    ("body", "streamed", "dialect", "reason"),
    [
        ({**MESSAGE, "content": [TEXT, USE], "stop_reason": "tool_use"}, False, "anthropic", "uses tools"),
        ({**MESSAGE, "content": [TEXT, USE]}, False, "anthropic", "uses tools"),
        ({**MESSAGE, "content": [{"type": "server_tool_use"}]}, False, "anthropic", "uses tools"),
        ({**MESSAGE, "content": [{"type": "web_search_tool_result"}]}, False, "anthropic", "uses tools"),
        ({**MESSAGE, "content": [{"type": "fallback"}]}, False, "anthropic", "fallback"),
        ({**MESSAGE, "content": ["x"]}, False, "anthropic", "unknown"),
        ({**MESSAGE, "stop_reason": "refusal"}, False, "anthropic", "refusal"),
        ({**MESSAGE, "stop_reason": "max_tokens"}, False, "anthropic", "max_tokens"),
        ({**MESSAGE, "stop_reason": "pause_turn"}, False, "anthropic", "pause_turn"),
        ({**MESSAGE, "stop_reason": None}, False, "anthropic", "no reason"),
        ({"type": "error", "error": {}}, False, "anthropic", "error"),
        ([], False, "anthropic", "end was not seen"),
        (b"<html>", False, "anthropic", "end was not seen"),
        (MESSAGE, False, "unheard of", "end was not seen"),
        (anthropic_stream(stop="tool_use", block=USE), True, "anthropic", "uses tools"),
        (anthropic_stream(block=USE), True, "anthropic", "uses tools"),
        (anthropic_stream(stop="refusal"), True, "anthropic", "refusal"),
        (anthropic_stream(extra=({"type": "error", "error": {}},)), True, "anthropic", "error"),
        (anthropic_stream(extra=({"type": "new_thing"},)), True, "anthropic", "new_thing"),
        (anthropic_stream() * 2, True, "anthropic", "end was not seen"),
        (anthropic_stream() + b"data: {", True, "anthropic", "end was not seen"),
        (anthropic_stream() + stream({"type": "content_block_delta"}), True, "anthropic", "after its end"),
        (stream({"type": "message_start", "message": {"content": [USE]}}), True, "anthropic", "end was not seen"),
        (stream(DELTA, LAST), True, "openai", "end was not seen"),
        (stream({"choices": [{"delta": {"tool_calls": [{}]}}]}, LAST, done=True), True, "openai", "uses tools"),
        (stream({"choices": [{"delta": {"refusal": "no"}}]}, LAST, done=True), True, "openai", "refusal"),
        (stream(DELTA, {"error": {}}, done=True), True, "openai", "error"),
        ({"choices": [{"finish_reason": "length", "message": {}}]}, False, "openai", "length"),
        ({"choices": [{"finish_reason": "content_filter", "message": {}}]}, False, "openai", "refusal"),
        ({"choices": [*CHAT["choices"], {"finish_reason": "length"}]}, False, "openai", "several"),
        ({**RESPONSE, "output": [{"type": "function_call"}]}, False, "responses", "uses tools"),
        (
            {**RESPONSE, "output": [{"type": "message", "content": [{"type": "refusal"}]}]},
            False,
            "responses",
            "refusal",
        ),
        ({**RESPONSE, "status": "incomplete"}, False, "responses", "end was not seen"),
        (stream({"type": "response.created"}, {"type": "error"}), True, "responses", "error"),
        (stream({"type": "response.created"}), True, "responses", "end was not seen"),
        (stream(BEGUN), True, "gemini", "end was not seen"),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, False, "gemini", "end was not seen"),
        ({**GEMINI, "promptFeedback": {"blockReason": "SAFETY"}}, False, "gemini", "refusal"),
        ({"candidates": [{"finishReason": "MAX_TOKENS"}]}, False, "gemini", "MAX_TOKENS"),
        (
            {"candidates": [{"content": {"parts": [{"functionCall": {}}]}, "finishReason": "STOP"}]},
            False,
            "gemini",
            "uses tools",
        ),
        (
            {"candidates": [{"content": {"parts": [{"inlineData": {}}]}, "finishReason": "STOP"}]},
            False,
            "gemini",
            "inlineData",
        ),
    ],
)
def test_what_is_never_kept(body: Any, streamed: bool, dialect: str, reason: str) -> None:  # a parameter
    assert reason in (why(body, streamed=streamed, dialect=dialect) or "")


@pytest.mark.parametrize("status", [201, 400, 429, 500, 529])
def test_only_status_200_is_kept(status: int) -> None:
    assert str(status) in (why(MESSAGE, status=status) or "")


@given(st.integers(0, 10_000))
def test_a_stream_cut_anywhere_is_not_kept(at: int) -> None:
    whole = anthropic_stream()
    cut = whole[: at % (len(whole) - 1)]
    assert why(cut, streamed=True) is not None
    chat = stream(DELTA, LAST, done=True)
    assert why(chat[: at % (len(chat) - 1)], streamed=True, dialect="openai") is not None


@given(st.binary(max_size=200), st.booleans(), st.sampled_from(["anthropic", "openai", "responses", "gemini"]))
@settings(max_examples=200)
def test_it_never_raises(body: bytes, streamed: bool, dialect: str) -> None:  # a parameter
    assert isinstance(ended(body, status=200, stream=streamed, dialect=dialect), Ended)


def test_recorded_replies_that_use_tools_refuse_or_break_off_are_not_kept() -> None:
    kept = 0
    for path in recordings.files(ROOT / "vercel-ai" / "packages" / "anthropic"):
        for exchange in recordings.exchanges(path):
            streamed = b"data:" in exchange.reply[:2000]
            reason = why(exchange.reply, streamed=streamed)
            if reason is None:
                kept += 1
                assert b"tool_use" not in exchange.reply
                assert b'"refusal"' not in exchange.reply
            if any(
                mark in exchange.reply for mark in (b'"tool_use"', b'"server_tool_use"', b'"stop_reason":"refusal"')
            ):
                assert reason is not None
    assert kept

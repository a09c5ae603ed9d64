from __future__ import annotations

import json
from typing import Any

import pytest

from underspend.formats.dialects.neutral import Refusal, Stop, Text, Thinking, ToolUse
from underspend.formats.dialects.responses_answer_reader import read_answer

CALL = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "weather", "arguments": "{}"}
SAID = {"type": "message", "content": [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}]}
NO = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}


def response(*output: Any, **more: Any) -> bytes:
    return json.dumps({"id": "resp_1", "model": "m", "status": "completed", "output": output, **more}).encode()


def test_every_item_is_its_parts_and_openais_own_tools_are_none() -> None:
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "why"}], "encrypted_content": "gA"}
    answer = read_answer(response(reasoning, {"type": "web_search_call"}, SAID, CALL))
    assert answer.parts == (Thinking("why", "gA", dialect="responses"), Text("a"), Text("b"), ToolUse("c", "weather"))
    assert (answer.id, answer.model) == ("resp_1", "m")


@pytest.mark.parametrize(
    ("body", "stop"),
    [
        (response(SAID), Stop.END),
        (response(SAID, CALL), Stop.TOOLS),
        (response(NO), Stop.REFUSAL),
        (response(SAID, status="incomplete", incomplete_details={"reason": "max_output_tokens"}), Stop.LENGTH),
        (response(SAID, status="incomplete", incomplete_details={"reason": "content_filter"}), Stop.REFUSAL),
        (response(CALL, status="incomplete", incomplete_details={"reason": "steered"}), Stop.LENGTH),
    ],
)
def test_the_stop_says_why_it_ended(body: bytes, stop: Stop) -> None:
    assert read_answer(body).stop is stop


def test_a_refusal_keeps_its_words() -> None:
    assert read_answer(response(NO)).parts == (Refusal("No."),)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "no JSON"),
        (b"{}", "no finished response"),
        (response(status="in_progress"), "in_progress"),
        (response(status="failed", error={"code": "server_error", "message": "Sorry."}), "Sorry."),
        (b'{"error":{"message":"Quota."}}', "Quota."),
    ],
)
def test_what_is_no_reply_is_said(body: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_answer(body)

from __future__ import annotations

import json
from typing import Any

import pytest

from formats.dialects.asks import ask
from underspend.core.usage import Usage
from underspend.formats.dialects.anthropic_answer import (
    kind_of,
    read_answer,
    read_problem,
    stop_of,
    write_answer,
    write_problem,
    write_usage,
)
from underspend.formats.dialects.neutral import Answer, Problem, Refusal, Stop, Text, Thinking, Tool, ToolUse
from underspend.formats.dialects.tool_labels import sent_name

LONG = "mcp__" + "server_" * 10 + "tool"
REPLY: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "model": "claude",
    "content": [
        {"type": "server_tool_use", "id": "s"},
        {"type": "text", "text": "a"},
        {"type": "text", "text": ""},
        {"type": "tool_use", "id": "t", "name": "n", "input": {"x": 1}},
    ],
    "stop_reason": "tool_use",
    "usage": {
        "input_tokens": 1,
        "cache_creation_input_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
        "cache_read_input_tokens": 4,
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 6},
    },
}


def test_a_reply_is_read_without_what_servers_did() -> None:
    assert read_answer(json.dumps(REPLY).encode()) == Answer(
        id="msg_1",
        model="claude",
        parts=(Text("a"), ToolUse("t", "n", '{"x":1}')),
        stop=Stop.TOOLS,
        usage=Usage(1, 2, 3, 4, 9),
        thinking_tokens=6,
    )


@pytest.mark.parametrize("body", [b"", b"{}", b'{"type":"error"}', b'{"content":"text"}'])
def test_what_is_no_reply_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match="the reply"):
        read_answer(body)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("model_context_window_exceeded", Stop.LENGTH),
        ("compaction", Stop.PAUSE),
        ("pause_turn", Stop.PAUSE),
        ("refusal", Stop.REFUSAL),
        ("something new", Stop.END),
        (None, Stop.END),
    ],
)
def test_every_reason_is_an_end(reason: str | None, stop: Stop) -> None:
    assert stop_of(reason) is stop


def test_foreign_reasoning_is_never_forged_and_own_names_come_back() -> None:
    parts = (Thinking("hm", dialect="openai"), Refusal("no"), Text(""), ToolUse("f:0", sent_name(LONG, 64), '{"a": 1}'))
    answer = Answer(id="", model="m", parts=parts, stop=Stop.SEQUENCE, stop_sequence="X")
    message = json.loads(write_answer(answer, ask(tools=(Tool(LONG, {}),))))
    assert [block["type"] for block in message["content"]] == ["text", "tool_use"]
    assert message["content"][1]["name"] == LONG
    assert message["content"][1]["input"] == {"a": 1}
    assert message["content"][1]["id"].startswith("uxid_")
    assert message["id"].startswith("msg_")
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "X")


def test_usage_says_every_lane() -> None:
    assert write_usage(Usage(1, 2, 3, 4, 9), 6) == REPLY["usage"]
    assert "output_tokens_details" not in write_usage(Usage(), 0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (429, "rate_limit_error"),
        (413, "request_too_large"),
        (529, "overloaded_error"),
        (500, "api_error"),
        (599, "api_error"),
        (418, "invalid_request_error"),
    ],
)
def test_a_status_has_its_kind(status: int, kind: str) -> None:
    assert kind_of(status) == kind


def test_an_error_keeps_the_providers_words() -> None:
    words = "prompt is too long: 250000 tokens > 200000 maximum"
    body = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": words}}).encode()
    assert read_problem(400, body) == Problem("invalid_request_error", words)
    assert read_problem(502, b"<html>") == Problem("api_error", "<html>")
    assert read_problem(503, b"") == Problem("overloaded_error", "HTTP status 503")
    coded = {"error": {"type": "rate_limit_error", "message": "m", "details": {"error_code": "ramp_limit_exceeded"}}}
    assert read_problem(429, json.dumps(coded).encode()).code == "ramp_limit_exceeded"
    assert json.loads(write_problem(Problem("api_error", "m"))) == {
        "type": "error",
        "error": {"type": "api_error", "message": "m"},
    }

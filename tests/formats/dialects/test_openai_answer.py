from __future__ import annotations

import json
from typing import Any

import pytest

from underspend.core.usage import Usage
from underspend.formats.dialects.neutral import Answer, Problem, Refusal, Stop, Text, Thinking, ToolUse
from underspend.formats.dialects.openai_answer import (
    finish_of,
    problem_of,
    read_answer,
    read_problem,
    write_answer,
    write_problem,
    write_usage,
)


def reply(message: Any, finish: Any = "stop", **choice: Any) -> bytes:
    whole = {"id": "c", "model": "m", "choices": [{"message": message, "finish_reason": finish, **choice}]}
    return json.dumps(whole).encode()


def test_a_reply_is_read_with_all_it_says() -> None:
    call = {"id": "", "function": {"name": "n", "arguments": {"x": 1}}}
    message = {"reasoning_content": "hm", "content": [{"type": "text", "text": "a"}], "refusal": "no"}
    answer = read_answer(reply({**message, "tool_calls": [call, {**call, "id": "b", "function": {"name": "o"}}]}))
    assert answer.parts[:3] == (Thinking("hm", dialect="openai"), Text("a"), Refusal("no"))
    first, second = answer.parts[3:]
    assert isinstance(first, ToolUse)
    assert (first.name, first.arguments) == ("n", '{"x":1}')
    assert first.id.startswith("call_")
    assert second == ToolUse("b", "o", "{}")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"choices":[]}'])
def test_what_is_no_reply_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match="the reply"):
        read_answer(body)


def test_a_reply_that_failed_is_none() -> None:
    with pytest.raises(ValueError, match="the reply broke off: upstream is gone"):
        read_answer(reply({"content": "a"}, "error", error={"code": 502, "message": "upstream is gone"}))
    with pytest.raises(ValueError, match="the reply broke off: insufficient_system_resource"):
        read_answer(reply({"content": "a"}, "insufficient_system_resource"))


@pytest.mark.parametrize(
    ("body", "stop"),
    [
        (reply({"content": "a"}), Stop.END),
        (reply({"content": "a"}, "length"), Stop.LENGTH),
        (reply({"content": "a"}, "content_filter"), Stop.REFUSAL),
        (reply({"refusal": "no"}), Stop.REFUSAL),
        (reply({"tool_calls": [{"id": "a", "function": {"name": "n"}}]}), Stop.TOOLS),
        (reply({"content": "a"}, stop_reason="END"), Stop.SEQUENCE),
        (reply({"content": "a"}, stop_reason=128001), Stop.END),
        (reply({"content": "a"}, None), Stop.END),
    ],
)
def test_every_finish_is_an_end(body: bytes, stop: Stop) -> None:
    answer = read_answer(body)
    assert answer.stop is stop
    assert answer.stop_sequence == ("END" if stop is Stop.SEQUENCE else None)


def test_every_end_is_a_finish_that_the_sdk_knows() -> None:
    assert {finish_of(stop) for stop in Stop} == {"stop", "length", "tool_calls", "content_filter"}


def test_a_reply_is_written_without_foreign_reasoning() -> None:
    parts = (Thinking("hm", "s", dialect="anthropic"), Text("a"), Text("b"), Refusal("no"), ToolUse("t", "n", ""))
    written = json.loads(write_answer(Answer(id="", model="m", parts=parts, stop=Stop.TOOLS), 7))
    message = written["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == ("ab", "no")
    assert message["tool_calls"] == [{"id": "t", "type": "function", "function": {"name": "n", "arguments": "{}"}}]
    assert written["created"] == 7
    assert written["id"].startswith("chatcmpl-")
    empty = json.loads(write_answer(Answer(id="a", model="m", parts=()), 7))["choices"][0]["message"]
    assert empty == {"role": "assistant", "content": None, "refusal": None}


def test_the_prompts_tokens_include_the_cache() -> None:
    usage = write_usage(Usage(1, 2, 3, 4, 9), 6)
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (10, 9, 19)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 4
    assert usage["prompt_tokens_details"]["cache_write_tokens"] == 5
    assert usage["prompt_tokens_details"]["cache_creation"]["ephemeral_1h_input_tokens"] == 3
    assert "cache_creation" not in write_usage(Usage(1, 2), 0)["prompt_tokens_details"]


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (
            400,
            {"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}},
            Problem("invalid_request_error", "too long", "context_length_exceeded"),
        ),
        (429, {"error": {"message": "slow", "type": "requests"}}, Problem("rate_limit_error", "slow")),
        (500, {"error": "words alone"}, Problem("api_error", "words alone")),
        (404, {"object": "error", "message": "no model", "code": 404}, Problem("not_found_error", "no model", "404")),
        (422, {"detail": [{"loc": ["body"]}]}, Problem("invalid_request_error", '[{"loc":["body"]}]')),
        (402, {"error": {"nothing": 1}}, Problem("billing_error", '{"nothing":1}')),
    ],
)
def test_an_error_keeps_the_providers_words_in_every_form(status: int, body: Any, problem: Problem) -> None:
    assert read_problem(status, json.dumps(body).encode()) == problem


def test_an_error_without_a_form_is_shown_as_it_came() -> None:
    assert read_problem(502, b"<html>bad gateway</html>").message == "<html>bad gateway</html>"
    assert read_problem(500, b"").message == "HTTP status 500"
    assert read_problem(500, b"[]").message == "[]"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "m", "code": 429}, "rate_limit_error"),
        ({"message": "m", "code": "rate_limit_exceeded"}, "rate_limit_error"),
        ({"message": "m", "type": "server_error"}, "api_error"),
        ({"message": "m", "type": "overloaded_error"}, "overloaded_error"),
        ({"message": "m", "type": "strange"}, "api_error"),
        ("m", "api_error"),
    ],
)
def test_an_error_in_a_stream_tells_its_kind_itself(error: Any, kind: str) -> None:
    found = problem_of(error)
    assert (found.kind, found.message) == (kind, "m")


@pytest.mark.parametrize("kind", ["api_error", "rate_limit_error", "authentication_error", "overloaded_error"])
def test_an_error_is_written_so_that_its_kind_is_read_again(kind: str) -> None:
    error = json.loads(write_problem(Problem(kind, "m")))["error"]
    assert problem_of(error).kind == kind
    assert error.keys() == {"message", "type", "param", "code"}

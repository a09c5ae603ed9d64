from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.dialects.asks import JSON, OPEN, UNTIMED, body
from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.neutral import (
    Image,
    Message,
    Structured,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from underspend.formats.dialects.openai_ask_read import read_ask

MARK = {"cache_control": {"type": "ephemeral"}}
TOOL = {"type": "function", "function": {"name": "t", "parameters": OPEN}}
CALL = {"id": "a", "type": "function", "function": {"name": "t", "arguments": '{"x":1}'}}
MEMBERS = st.sampled_from(
    ["tools", "tool_choice", "response_format", "stop", "stream_options", "thinking", "reasoning", "user", "n", "seed"]
)


@pytest.mark.parametrize("given_body", [b"", b"[]", b"{}", b'{"messages":"a"}', b'{"messages":["a"]}'])
def test_what_is_no_request_is_said_to_be_none(given_body: bytes) -> None:
    with pytest.raises(ValueError, match="request"):
        read_ask(given_body)


def test_a_role_that_is_not_known_is_said() -> None:
    with pytest.raises(ValueError, match="'function'"):
        read_ask(body(messages=[{"role": "function", "content": "a"}]))


@UNTIMED
@given(st.dictionaries(MEMBERS, JSON), st.lists(JSON, max_size=3))
def test_whatever_is_in_it_a_request_is_read_or_refused(members: dict[str, Any], contents: list[Any]) -> None:
    messages = [{"role": "assistant", "content": content, "tool_calls": content} for content in contents]
    with contextlib.suppress(CannotCarryError, ValueError):
        read_ask(json.dumps({"messages": messages, **members}).encode())


def test_instructions_come_first_or_stand_in_the_midst() -> None:
    messages = [
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [{"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
        {"role": "developer", "content": "d"},
    ]
    ask = read_ask(body(messages=messages))
    assert ask.system == (Text("a"), Text("b"))
    assert ask.messages == (Message("user", (Text("c"),)), Message("system", (Text("d"),)))


def test_results_become_the_head_of_the_users_next_message() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://x"}}
    messages = [
        {"role": "user", "content": "go", "name": "Ann"},
        {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "b"}]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2"}, image], **MARK},
        {"role": "user", "content": "more"},
        {"role": "assistant", "content": "x", "refusal": "no", "reasoning_content": "hm"},
        {"role": "tool", "tool_call_id": "c", "content": "3"},
    ]
    ask = read_ask(body(messages=messages))
    assert ask.messages[1] == Message("assistant", (ToolUse("a", "t", '{"x":1}'), ToolUse("b", "t", '{"x":1}')))
    first = ToolResult("a", (Text("1"),), name="t")
    second = ToolResult("b", (Text("2"), Image(url="https://x")), name="t", cache="5m")
    assert ask.messages[2] == Message("user", (first, second, Text("more")))
    assert ask.messages[3] == Message("assistant", (Thinking("hm", dialect="openai"), Text("x"), Text("no")))
    assert ask.messages[4] == Message("user", (ToolResult("c", (Text("3"),)),))
    assert ask.dropped == ("a participant's name: the provider has nothing like it",)


def test_results_before_a_system_message_stay_before_it() -> None:
    messages = [{"role": "tool", "tool_call_id": "a", "content": "1"}, {"role": "system", "content": "s"}]
    assert [message.role for message in read_ask(body(messages=messages)).messages] == ["user", "system"]


def test_breakpoints_are_read_wherever_clients_put_them() -> None:
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": {"ttl": "1h"}}]},
        {"role": "user", "content": "a", **MARK},
        {"role": "user", "content": [{"type": "image_url", "image_url": "u"}], **MARK},
    ]
    inner = {"type": "function", "function": {**TOOL["function"], **MARK}}  # type: ignore[dict-item]
    ask = read_ask(body(messages=messages, tools=[{**TOOL, **MARK}, inner], **MARK))
    assert ask.system[0].cache == "1h"
    assert ask.messages[0].parts == (Text("a", "5m"),)
    assert [tool.cache for tool in ask.tools] == ["5m", "5m"]
    assert ask.cache == "5m"


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"n": 2}, r"A request for 2 replies \(n=2\) cannot be sent to another provider"),
        ({"functions": [{}]}, "`functions`"),
        ({"function_call": "auto"}, "`functions`"),
        ({"modalities": ["text", "audio"]}, "A spoken reply"),
        ({"tools": [{"type": "custom"}]}, "A custom tool"),
    ],
)
def test_what_the_reply_would_not_be_right_without_is_refused(more: Any, what: str) -> None:
    with pytest.raises(CannotCarryError, match=what):
        read_ask(body(**more))


def test_other_wishes_are_left_out_and_named_unless_they_ask_for_nothing() -> None:
    ask = read_ask(body(logprobs=True, top_logprobs=3, frequency_penalty=0, store=False, metadata={}, n=1, seed=4))
    assert [note.partition(":")[0] for note in ask.dropped] == ["logprobs", "top_logprobs"]
    assert ask.seed == 4


@pytest.mark.parametrize(
    ("choice", "read", "names"),
    [
        ("auto", ToolChoice("auto"), ["t", "u"]),
        ("required", ToolChoice("any"), ["t", "u"]),
        ("none", ToolChoice("none"), ["t", "u"]),
        ("else", None, ["t", "u"]),
        ({"type": "function", "function": {"name": "t"}}, ToolChoice("tool", "t"), ["t", "u"]),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"function": {"name": "u"}}]}},
            ToolChoice("any"),
            ["u"],
        ),
    ],
)
def test_the_choice_of_tools_is_read(choice: Any, read: ToolChoice | None, names: list[str]) -> None:
    other = {"type": "function", "function": {"name": "u", "strict": True}}
    ask = read_ask(body(tools=[TOOL, other], tool_choice=choice, parallel_tool_calls=False))
    assert ask.choice == read
    assert [tool.name for tool in ask.tools] == names
    assert ask.tools[-1] == Tool("u", {}, strict=True)
    assert ask.parallel is False


@pytest.mark.parametrize(
    ("more", "effort", "thinking"),
    [
        ({"reasoning_effort": "high"}, "high", "adaptive"),
        ({"reasoning_effort": "none"}, None, "off"),
        ({"reasoning": {"effort": "low"}}, "low", "adaptive"),
        ({"reasoning": {"max_tokens": 2000}}, None, 2000),
        ({"thinking": {"type": "enabled", "budget_tokens": 4000}}, None, 4000),
        ({"thinking": {"type": "disabled"}}, None, "off"),
        ({"thinking": {"type": "enabled"}}, None, "adaptive"),
        ({}, None, None),
    ],
)
def test_effort_is_read_in_each_providers_words(more: Any, effort: str | None, thinking: Any) -> None:
    ask = read_ask(body(**more))
    assert (ask.effort, ask.thinking) == (effort, thinking)


@pytest.mark.parametrize(
    ("form", "structured"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, Structured()),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": OPEN, "strict": False}},
            Structured(OPEN, "n", strict=False),
        ),
        ({"type": "json_schema", "json_schema": {"schema": OPEN}}, Structured(OPEN)),
    ],
)
def test_the_form_of_the_reply_is_read(form: Any, structured: Structured | None) -> None:
    assert read_ask(body(response_format=form)).structured == structured


def test_limits_and_stop_sequences_are_read_in_both_their_forms() -> None:
    assert read_ask(body(max_tokens=3)).max_output == 3
    assert read_ask(body(max_tokens=3, max_completion_tokens=4)).max_output == 4
    assert read_ask(body(stop="X")).stop == ("X",)
    assert read_ask(body(stop=["X", "Y"])).stop == ("X", "Y")
    assert read_ask(body(stop=None, user="u", safety_identifier="s")).user == "s"

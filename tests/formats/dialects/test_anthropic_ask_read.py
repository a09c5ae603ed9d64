from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.dialects.asks import JSON, UNTIMED, body
from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.anthropic_ask_read import read_ask
from underspend.formats.dialects.neutral import Message, Structured, Text, Tool, ToolChoice, ToolResult

TOOL = {"name": "Read", "input_schema": {"type": "object"}}
SEARCH = {"type": "web_search_20260209", "name": "web_search"}
MEMBERS = st.sampled_from(
    ["system", "tools", "tool_choice", "thinking", "output_config", "metadata", "stop_sequences", "cache_control"]
)


@pytest.mark.parametrize("given_body", [b"", b"[]", b"{}", b'{"messages":3}', b'{"messages":[3]}', b"\xff"])
def test_what_is_no_request_is_said_to_be_none(given_body: bytes) -> None:
    with pytest.raises(ValueError, match="request"):
        read_ask(given_body)


def test_a_role_that_is_not_known_is_said() -> None:
    with pytest.raises(ValueError, match="'tool'"):
        read_ask(body(messages=[{"role": "tool", "content": "a"}]))


@UNTIMED
@given(st.dictionaries(MEMBERS, JSON), st.lists(JSON, max_size=3))
def test_whatever_is_in_it_a_request_is_read_or_refused(members: dict[str, Any], contents: list[Any]) -> None:
    messages = [{"role": "user", "content": content} for content in contents]
    with contextlib.suppress(CannotCarryError, ValueError):
        read_ask(json.dumps({"messages": messages, **members}).encode())


def test_the_system_prompt_comes_without_claude_codes_billing_header() -> None:
    blocks = [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.328.abc;"},
        {"type": "text", "text": "You are", "cache_control": {"type": "ephemeral"}},
    ]
    ask = read_ask(body(system=blocks))
    assert ask.system == (Text("You are", "5m"),)
    assert [note.partition(":")[0] for note in ask.dropped] == ["Claude Code's billing header"]
    assert read_ask(body(system="short")).system == (Text("short"),)


def test_a_result_knows_the_name_of_its_tool_and_empty_messages_go() -> None:
    messages = [
        {"role": "user", "content": "a"},
        {"role": "system", "content": [], "output_config": {"effort": "low"}},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Read", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "c"}]},
    ]
    ask = read_ask(body(messages=messages))
    assert ask.messages[2] == Message("user", (ToolResult("t", (Text("c"),), name="Read"),))
    assert len(ask.messages) == 3
    assert ask.dropped == ("output_config of a message: effort holds for the whole request",)


def test_members_for_anthropics_servers_are_left_out_and_named() -> None:
    ask = read_ask(
        body(
            safeguards=[{"type": "dangerous_tool_use"}],
            context_management={"edits": []},
            metadata={"user_id": '{"device_id":"d"}'},
            service_tier="auto",
            container=None,
            something=1,
        )
    )
    assert [note.partition(":")[0] for note in ask.dropped] == [
        "safeguards",
        "context_management",
        "service_tier",
        "something",
        "metadata",
    ]
    assert ask.user is None
    assert read_ask(body(metadata={"user_id": "me"})).user == "me"


def test_a_tool_that_waits_is_sent_once_it_was_loaded() -> None:
    late = {**TOOL, "name": "Grep", "defer_loading": True}
    ask = read_ask(body(tools=[TOOL, late]))
    assert [tool.name for tool in ask.tools] == ["Read"]
    assert ask.dropped == ("tools that wait to be loaded: they are sent once the model has asked for them",)
    loaded = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "Grep"}]}
    ask = read_ask(body(tools=[TOOL, late], messages=[{"role": "user", "content": [loaded]}]))
    assert [tool.name for tool in ask.tools] == ["Read", "Grep"]
    searched = read_ask(body(tools=[late, {"type": "tool_search_tool_bm25_20251119", "name": "tool_search"}]))
    assert [tool.name for tool in searched.tools] == ["Grep"]


def test_a_tool_of_anthropics_is_left_out_beside_others_and_refused_where_it_is_what_counts() -> None:
    ask = read_ask(body(tools=[TOOL, SEARCH]))
    assert ask.tools == (Tool("Read", {"type": "object"}),)
    assert ask.dropped == ("the tool web_search: Anthropic defines it",)
    for more in ({"tools": [SEARCH]}, {"tools": [TOOL, SEARCH], "tool_choice": {"type": "tool", "name": "web_search"}}):
        with pytest.raises(CannotCarryError, match="The tool web_search cannot be sent to another provider"):
            read_ask(body(**more))


@pytest.mark.parametrize(
    ("given_choice", "choice", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("any"), False),
        ({"type": "tool", "name": "Read", "disable_parallel_tool_use": False}, ToolChoice("tool", "Read"), True),
        ({"type": "none"}, ToolChoice("none"), None),
        ({}, None, None),
    ],
)
def test_the_choice_of_tools_is_read(given_choice: Any, choice: ToolChoice | None, parallel: bool | None) -> None:
    ask = read_ask(body(tools=[{**TOOL, "strict": True, "input_examples": [{}]}], tool_choice=given_choice))
    assert (ask.choice, ask.parallel) == (choice, parallel)
    assert ask.tools[0].strict is True
    assert ask.dropped == ("input_examples of tools: the provider has nothing like it",)


@pytest.mark.parametrize(
    ("given_thinking", "thinking"),
    [
        ({"type": "disabled"}, "off"),
        ({"type": "adaptive", "display": "omitted"}, "adaptive"),
        ({"type": "between_tools"}, "adaptive"),
        ({"type": "enabled", "budget_tokens": 31999}, 31999),
        ({"type": "enabled"}, "adaptive"),
        ({}, None),
    ],
)
def test_thinking_is_read(given_thinking: Any, thinking: Any) -> None:
    assert read_ask(body(thinking=given_thinking)).thinking == thinking


def test_a_schema_is_read_from_either_place() -> None:
    form = {"type": "json_schema", "schema": {"type": "object"}}
    wanted = Structured({"type": "object"}, strict=True)
    assert read_ask(body(output_config={"format": form, "effort": "low"})).structured == wanted
    assert read_ask(body(output_config={"effort": "low"})).effort == "low"
    assert read_ask(body(output_format=form)).structured == wanted

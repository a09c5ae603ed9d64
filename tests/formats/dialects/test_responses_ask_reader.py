from __future__ import annotations

import json
from typing import Any

import pytest

from formats.dialects.responses_samples import SCHEMA
from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.neutral import Ask, Structured, Text, Tool, ToolChoice
from underspend.formats.dialects.responses_ask_reader import read_ask

FUNCTION = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}
SEARCH = {"type": "web_search", "search_context_size": "low"}


def read(**more: Any) -> Ask:
    return read_ask(json.dumps({"model": "m", "input": "hello", **more}).encode())


def test_every_member_that_others_have_is_read() -> None:
    ask = read(
        instructions="Be brief.",
        stream=True,
        tools=[FUNCTION],
        tool_choice={"type": "function", "name": "weather"},
        parallel_tool_calls=False,
        max_output_tokens=100,
        temperature=0.5,
        top_p=1,
        text={"format": {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": True}},
        reasoning={"effort": "low"},
        user="u",
        safety_identifier="s",
        include=["reasoning.encrypted_content"],
        prompt_cache_options={"mode": "implicit", "ttl": "12h"},
        truncation="disabled",
        service_tier="default",
        store=False,
        metadata={},
    )
    assert ask.system == (Text("Be brief."),)
    assert ask.tools == (Tool("weather", SCHEMA, strict=True),)
    assert ask.choice == ToolChoice("tool", "weather")
    assert (ask.parallel, ask.stream, ask.max_output, ask.temperature, ask.top_p) == (False, True, 100, 0.5, 1.0)
    assert ask.structured == Structured(SCHEMA, "city", strict=True)
    assert (ask.effort, ask.thinking, ask.user, ask.cache) == ("low", None, "s", "1h")
    assert ask.dropped == ()


@pytest.mark.parametrize(
    "more",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"conversation": {"id": "conv_1"}},
        {"prompt": {"id": "pmpt_1"}},
        {"background": True},
        {"tool_choice": {"type": "web_search"}},
        {"tool_choice": "sometimes"},
        {"input": [{"type": "item_reference", "id": "x"}]},
    ],
)
def test_what_needs_openai_itself_is_refused_with_a_way_out(more: dict[str, Any]) -> None:
    with pytest.raises(CannotCarryError, match=r"cannot be sent to another provider: .+\. .+\."):
        read(**more)


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({"tools": [SEARCH]}, "the tool web_search: only OpenAI has it"),
        ({"tools": [{"type": "file_search"}]}, "the tool file_search: only OpenAI has it"),
        ({"tools": [{"type": "code_interpreter"}]}, "the tool code_interpreter: only OpenAI has it"),
        ({"tools": [{"type": "computer"}]}, "the tool computer: only OpenAI has it"),
        ({"tools": [{"type": "custom", "name": "patch"}]}, "the tool custom patch: only OpenAI has it"),
        ({"tools": [{**FUNCTION, "defer_loading": True}]}, "defer_loading of a tool"),
        ({"store": True}, "store: only OpenAI has it"),
        ({"truncation": "auto"}, "truncation auto: only OpenAI has it"),
        ({"service_tier": "flex"}, "service_tier flex: only OpenAI has it"),
        ({"include": ["message.output_text.logprobs"]}, "include message.output_text.logprobs: only OpenAI has it"),
        ({"text": {"verbosity": "low"}}, "text.verbosity: only OpenAI has it"),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary: only OpenAI has it"),
        ({"metadata": {"a": "b"}}, "metadata: only OpenAI has it"),
        ({"top_logprobs": 2}, "top_logprobs: only OpenAI has it"),
        ({"max_tool_calls": 2}, "max_tool_calls: only OpenAI has it"),
        ({"prompt_cache_key": "k"}, "prompt_cache_key: only OpenAI has it"),
        ({"something_new": 1}, "something_new: only OpenAI has it"),
    ],
)
def test_what_is_left_out_is_said(more: dict[str, Any], note: str) -> None:
    assert read(**more).dropped == (note,)


@pytest.mark.parametrize(
    ("given", "choice"),
    [("auto", "auto"), ("required", "any"), ("none", "none")],
)
def test_choices_are_read(given: str, choice: Any) -> None:
    assert read(tools=[FUNCTION], tool_choice=given).choice == ToolChoice(choice)


def test_allowed_tools_are_the_only_ones() -> None:
    other = {**FUNCTION, "name": "other"}
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "other"}]}
    ask = read(tools=[FUNCTION, other], tool_choice=allowed)
    assert [tool.name for tool in ask.tools] == ["other"]
    assert ask.choice == ToolChoice("any")


def test_no_effort_is_no_thinking() -> None:
    ask = read(reasoning={"effort": "none"})
    assert (ask.thinking, ask.effort) == ("off", None)


def test_any_object_is_structured_and_text_is_not() -> None:
    assert read(text={"format": {"type": "json_object"}}).structured == Structured()
    assert read(text={"format": {"type": "text"}}).structured is None


def test_breakpoints_of_the_clients_own_ask_for_no_other() -> None:
    assert read(prompt_cache_options={"mode": "explicit", "ttl": "30m"}).cache is None
    assert read(prompt_cache_options={"ttl": "30m"}).cache == "5m"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"model":"m"}', b'{"model":3,"input":"a"}'])
def test_what_is_no_request_is_said(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"body|input"):
        read_ask(body)

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.call import Identity, Role
from underspend.formats import anthropic_request, task_asked
from underspend.routing.beliefs import Asked

WHO = Identity(role=Role.SUBAGENT, agent_type="Explore")
TOOL = {"name": "f", "input_schema": {"type": "object"}}


def of_messages(**body: Any) -> Asked:
    said = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}], **body}
    request = anthropic_request.read(msgspec.json.encode(said))
    assert request is not None
    return task_asked.of_messages(request, WHO)


def of_chat(**body: Any) -> Asked:
    return task_asked.of_chat(msgspec.json.encode({"model": "m", **body}), WHO, max_output=7)


def test_what_a_plain_request_shows() -> None:
    asked = of_messages(system="Be brief.", tools=[TOOL])
    assert (asked.text, asked.system, asked.tools, asked.max_output) == ("hello", "Be brief.", 1, 10)
    assert (asked.role, asked.agent_type, asked.turns, asked.text_chars) == (Role.SUBAGENT, "Explore", 1, 5)
    assert not asked.structured
    assert not asked.thinking


def test_results_of_tools_are_not_what_the_user_asked() -> None:
    messages = [
        {"role": "user", "content": "mend the test"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "42"}]},
    ]
    asked = of_messages(messages=messages)
    assert (asked.text, asked.turns) == ("mend the test", 3)


def test_reminders_of_the_client_are_not_the_users_words() -> None:
    parts = [
        {"type": "text", "text": "<system-reminder>\nclaude.md says …</system-reminder>"},
        {"type": "text", "text": "hello"},
    ]
    assert of_messages(messages=[{"role": "user", "content": parts}]).text == "hello"


def test_the_billing_block_of_claude_code_is_no_instruction() -> None:
    system = [{"type": "text", "text": "x-anthropic-billing-header: cc_version=2"}, {"type": "text", "text": "You are"}]
    assert of_messages(system=system).system == "You are"


def test_a_long_prompt_is_cut_and_its_length_kept() -> None:
    asked = of_messages(messages=[{"role": "user", "content": "a" * 9_000}])
    assert len(asked.text) <= 2_000
    assert asked.text_chars == 9_000
    assert asked.prompt_chars > 9_000


def test_pictures_files_thinking_and_schemas_are_seen() -> None:
    parts = [{"type": "image", "source": {}}, {"type": "document", "source": {}}]
    asked = of_messages(
        messages=[{"role": "user", "content": parts}],
        thinking={"type": "enabled", "budget_tokens": 5},
        output_config={"format": {"type": "json_schema", "schema": {}}},
    )
    assert (asked.images, asked.documents, asked.thinking, asked.structured) == (1, 1, True, True)


def test_a_chat_request_shows_the_same() -> None:
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}
    asked = of_chat(messages=messages, tools=[TOOL], response_format=form, reasoning_effort="low")
    assert (asked.text, asked.system, asked.tools, asked.max_output) == ("hello", "Be brief.", 1, 7)
    assert asked.structured
    assert asked.thinking


@pytest.mark.parametrize(
    "said", ["hello", [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}]], ids=["text", "items"]
)
def test_a_responses_request_shows_the_same(said: object) -> None:
    asked = of_chat(input=said, instructions="Be brief.", text={"format": {"type": "json_object"}})
    assert (asked.text, asked.system, asked.structured) == ("hello", "Be brief.", True)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(raw: bytes) -> None:
    task_asked.of_chat(raw, WHO)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(messages=JSON, system=JSON, tools=JSON)
def test_no_json_makes_it_fail(messages: object, system: object, tools: object) -> None:
    of_messages(messages=messages, system=system, tools=tools)
    of_chat(messages=messages, tools=tools)

from __future__ import annotations

from typing import Any

import pytest

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.neutral import Message, Text, Thinking, ToolResult, ToolUse
from underspend.formats.dialects.responses_input_reader import read_input
from underspend.formats.dialects.responses_reasoning import signature_item

CALL = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city":"Rome"}'}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "21"}
USE = ToolUse("c1", "weather", '{"city":"Rome"}')


def test_a_string_is_what_the_user_says() -> None:
    assert read_input("hello").messages == [Message("user", (Text("hello"),))]


def test_a_replys_items_are_one_message_and_results_come_before_what_the_user_says() -> None:
    items = [
        {"role": "user", "content": "weather?"},
        {"type": "reasoning", "summary": [], "encrypted_content": "gA"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        CALL,
        RESULT,
        {"role": "user", "content": "and?"},
        {"role": "user", "content": "well?"},
    ]
    assert read_input(items).messages == [
        Message("user", (Text("weather?"),)),
        Message("assistant", (Thinking("", "gA", dialect="responses"), Text("Let me see."), USE)),
        Message("user", (ToolResult("c1", (Text("21"),), name="weather"), Text("and?"))),
        Message("user", (Text("well?"),)),
    ]


def test_system_words_before_everything_else_are_the_system() -> None:
    items = [
        {"role": "developer", "content": "a"},
        {"role": "system", "content": "b"},
        {"role": "user", "content": "c"},
        {"role": "developer", "content": "d"},
    ]
    read = read_input(items)
    assert read.system == [Text("a"), Text("b")]
    assert [message.role for message in read.messages] == ["user", "system"]


def test_the_signature_that_a_client_kept_goes_back_to_its_call() -> None:
    (message,) = read_input([signature_item("sig", id="rs_1"), CALL]).messages
    assert message.parts == (ToolUse("c1", "weather", '{"city":"Rome"}', signature="sig"),)


@pytest.mark.parametrize("kind", ["web_search_call", "file_search_call", "code_interpreter_call", "computer_call"])
def test_what_openais_own_tools_did_is_left_out_and_said(kind: str) -> None:
    read = read_input([{"role": "user", "content": "a"}, {"type": kind, "id": "x"}, {"type": kind, "id": "y"}])
    assert len(read.messages) == 1
    assert read.dropped == [f"input of the type {kind}: it belongs to a tool that only OpenAI has"]


@pytest.mark.parametrize(
    ("item", "note"),
    [
        ({**CALL, "namespace": "n"}, "namespace of a function call"),
        ({**RESULT, "caller": {"type": "direct"}}, "caller of a function's output"),
        ({"role": "assistant", "content": "a", "phase": "commentary"}, "phase of a message"),
        ({"role": "assistant", "content": [{"type": "output_text", "annotations": [{}]}]}, "annotations of text"),
    ],
)
def test_what_only_openai_says_of_an_item_is_left_out_and_said(item: dict[str, Any], note: str) -> None:
    read = read_input([item, item])
    assert read.dropped == [note]
    assert read.messages


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "msg_1"},
        {"role": "developer", "content": [{"type": "input_image", "image_url": "https://x"}]},
        {"role": "user", "content": [{"type": "input_file", "file_id": "f"}]},
    ],
)
def test_what_cannot_be_carried_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(CannotCarryError):
        read_input([item])


@pytest.mark.parametrize("given", [None, 3, [{"role": "tool", "content": "x"}]])
def test_what_is_no_input_is_said(given: object) -> None:
    with pytest.raises(ValueError, match=r"input|role"):
        read_input(given)


def test_a_result_of_pieces_and_one_of_nothing() -> None:
    pieces = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "https://x"}]
    (message,) = read_input([{**RESULT, "output": pieces}, {**RESULT, "call_id": "c2", "output": None}]).messages
    first, second = message.parts
    assert isinstance(first, ToolResult)
    assert len(first.parts) == 2
    assert second == ToolResult("c2", (Text(""),))

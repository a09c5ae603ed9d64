from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.transcripts import assistant, line
from underspend.readers.claude_code import shapes

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def test_a_null_costs_its_field_alone() -> None:
    entry = assistant(message={"usage": {"input_tokens": 5, "output_tokens": None, "speed": None}})
    found = shapes.line_of(line(entry | {"version": None, "agentId": None}))
    assert found.message is not None
    assert found.message.usage == shapes.Tokens(input=5)


@pytest.mark.parametrize("wrong", [7, "text", True, [], {}, 1.5], ids=repr)
@pytest.mark.parametrize("name", ["cwd", "isSidechain", "agentId", "data", "effort", "timestamp"])
def test_a_wrong_type_costs_its_field_alone(name: str, wrong: object) -> None:
    found = shapes.line_of(line(assistant("msg_1") | {name: wrong}))
    assert found.type == "assistant"
    assert found.message is not None
    assert found.message.id == "msg_1"
    assert found.message.usage == shapes.Tokens(input=1, output=10, read=100)


def test_counts_that_are_no_counts() -> None:
    wrong = {"input_tokens": -5, "output_tokens": "7", "cache_read_input_tokens": 3.0, "cache_creation": [1]}
    found = shapes.line_of(line(assistant(message={"usage": wrong})))
    assert found.message is not None
    assert found.message.usage is not None
    assert (found.message.usage.output, found.message.usage.read, found.message.usage.split) == (None, 3, None)


def test_what_is_no_number_is_absent() -> None:
    data = line(assistant("msg_1")).replace(b'"output_tokens":10', b'"output_tokens":NaN')
    found = shapes.line_of(data)
    assert found.message is not None
    assert found.message.usage is not None
    assert (found.message.usage.input, found.message.usage.output) == (1, None)


def test_bytes_that_are_no_text_are_replaced() -> None:
    data = line(assistant("msg_1")).replace(b"Hello.", b"Hel\xfflo.\xc3")
    found = shapes.line_of(data)
    assert found.message is not None
    assert isinstance(found.message.content, list)
    assert found.message.content[0].text == "Hel\ufffdlo.\ufffd"


def test_half_a_surrogate_is_replaced() -> None:
    data = line(assistant("msg_1")).replace(b"Hello.", rb"a\ud83db")
    found = shapes.line_of(data)
    assert found.message is not None
    assert isinstance(found.message.content, list)
    assert found.message.content[0].text == "a?b"


def test_blocks_that_are_no_objects_are_passed_over() -> None:
    inner = [None, {"type": "text", "text": "a"}, 7]
    blocks = [1, {"type": "tool_result", "content": inner}, None, "x", {"type": "tool_result", "content": {}}]
    found = shapes.line_of(line(assistant(message={"content": blocks})))
    assert found.message is not None
    assert isinstance(found.message.content, list)
    assert [piece.content for piece in found.message.content] == [[shapes.Inner(type="text", text="a")], None]


@pytest.mark.parametrize("value", [None, [], "x", 7])
def test_an_input_that_is_no_object(value: object) -> None:
    assert shapes.input_of(raw(value)) == shapes.ToolInput()


def test_an_input_with_a_field_of_another_type() -> None:
    assert shapes.input_of(raw({"command": "ls", "offset": "3"})) == shapes.ToolInput(command="ls")


def test_any_value() -> None:
    assert shapes.loads(msgspec.Raw(b"")) is None
    assert shapes.loads(msgspec.Raw(b"{")) is None
    assert shapes.loads(msgspec.Raw(b'{"a":"\xff"}')) == {"a": "\ufffd"}
    assert shapes.object_in(raw([1])) == {}


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b"{", b"null"])
def test_what_holds_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        shapes.line_of(data)


@given(st.dictionaries(st.sampled_from([f.encode_name for f in msgspec.structs.fields(shapes.Line)]), ANYTHING))
def test_any_object_is_an_entry(entry: dict[str, object]) -> None:
    assert isinstance(shapes.line_of(json.dumps(entry).encode()), shapes.Line)


@given(st.dictionaries(st.sampled_from([f.encode_name for f in msgspec.structs.fields(shapes.Message)]), ANYTHING))
def test_any_message_fits(message: dict[str, object]) -> None:
    assert shapes.line_of(json.dumps({"type": "assistant", "message": message}).encode()).type == "assistant"

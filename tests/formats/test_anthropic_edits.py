from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.edits import (
    DropMessages,
    Edit,
    RefusalKind,
    Refuse,
    ReplaceContent,
    ReplaceMessages,
    SetBreakpoint,
    SetEffort,
    SetMaxOutput,
    SetModel,
    ShortenContent,
    Warn,
)
from underspend.formats import anthropic_request
from underspend.formats.anthropic_blocks import Anatomist
from underspend.formats.anthropic_edits import edited, shortened

USE = {"type": "tool_use", "id": "t1", "name": "Read", "input": {"b": 1, "a": 2}}
RESULT = {"tool_use_id": "t1", "type": "tool_result", "content": "0123456789"}
BODY: dict[str, Any] = {
    "model": "claude-opus-4-5",
    "system": "be brief",
    "tools": [{"name": "Read", "input_schema": {"type": "object"}}, {"name": "Late", "defer_loading": True}],
    "messages": [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "h", "signature": "s"}, USE]},
        {"role": "user", "content": [RESULT, {"type": "text", "text": "and?"}]},
    ],
    "max_tokens": 8000,
    "metadata": {"x": 1.50, "model": "not this"},
}
READ, LATE, SYSTEM, LOOK, THINKING, USED, GOT, AND = range(8)


def after(*edits: Edit, **changed: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(edited(json.dumps(BODY | changed).encode(), edits))
    return made


def difference(made: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in made.items() if BODY.get(key) != value}


def test_the_indices_are_those_of_the_blocks() -> None:
    request = anthropic_request.read(json.dumps(BODY).encode())
    assert request is not None
    parts = Anatomist().anatomy(tools=request.tools, system=request.system, messages=request.messages)
    kinds = ["tool", "deferred_tool", "text", "text", "thinking", "tool_use", "tool_result", "text"]
    assert [block.kind for block in parts.blocks] == kinds


def test_settings() -> None:
    assert difference(after(SetModel("m", why=""))) == {"model": "m"}
    assert difference(after(SetMaxOutput(5, why=""))) == {"max_tokens": 5}
    assert difference(after(SetEffort("low", why=""))) == {"output_config": {"effort": "low"}}
    given = {"output_config": {"effort": "max", "format": 1}}
    assert after(SetEffort("low", why=""), **given)["output_config"] == {"effort": "low", "format": 1}
    assert after(SetEffort("low", why=""), output_config={"f": 1})["output_config"] == {"f": 1, "effort": "low"}
    assert after(SetEffort("low", why=""), output_config={})["output_config"] == {"effort": "low"}


def test_what_changes_nothing_leaves_every_byte() -> None:
    raw = json.dumps(BODY, indent=3).encode() + b"\n"
    assert edited(raw, []) == raw
    assert edited(raw, [Warn(why=""), Refuse(RefusalKind.BUDGET, why="")]) == raw
    assert edited(raw, [SetModel("x", why=""), SetModel("claude-opus-4-5", why="")]) == raw


def test_only_the_edited_piece_is_written_anew() -> None:
    raw = json.dumps(BODY).encode()
    made = edited(raw, [ReplaceContent(GOT, "gone", 1, why="")])
    assert made == raw.replace(b'"0123456789"', b'"gone"')


def test_a_result_is_replaced_or_shortened() -> None:
    def said(*edits: Edit, content: Any = "0123456789") -> Any:
        messages = [*BODY["messages"][:2], {"role": "user", "content": [{**RESULT, "content": content}]}]
        return after(*edits, messages=messages)["messages"][2]["content"][0]["content"]

    short = ShortenContent(GOT, 2, 3, 1, why="")
    assert said(ReplaceContent(GOT, "gone", 1, why="")) == "gone"
    assert said(short) == "01\n[… 5 characters left out …]\n789"
    assert said(ShortenContent(GOT, 5, 5, 1, why="")) == "0123456789"
    assert said(short, ReplaceContent(GOT, "gone", 1, why="")) == "gone"
    image = {"type": "image", "source": {}}
    parts = [{"type": "text", "text": "01234"}, image, {"type": "text", "text": "56789"}]
    assert said(short, content=parts) == [{"type": "text", "text": "01\n[… 6 characters left out …]\n789"}, image]
    assert said(short, content=[image]) == [image]


def test_lines_with_certain_words_stay() -> None:
    middle = "\n".join(["fine", "An ERROR here", "x" * 300 + " error", *["error"] * 20])
    made = shortened(f"begin\n{middle}\nend", 6, 3, ("error",))
    assert made.startswith("begin\n\n[… ")
    assert made.endswith("error\nend")
    lines = made.splitlines()
    assert lines[2].endswith("characters left out, but for these lines …]")
    assert lines[3:5] == ["An ERROR here", "error"]
    assert len(lines) == 3 + 10 + 1
    assert "but for" not in shortened("0123456789", 2, 3, ("error",))


def test_a_result_without_content_gets_one() -> None:
    empty = {key: value for key, value in RESULT.items() if key != "content"}
    messages = [*BODY["messages"][:2], {"role": "user", "content": [empty]}]
    made = after(ReplaceContent(GOT, "gone", 1, why=""), messages=messages)
    assert made["messages"][2]["content"] == [{**empty, "content": "gone"}]


@given(st.text(max_size=30), st.integers(0, 9), st.integers(0, 9))
def test_a_shortening_keeps_both_ends(text: str, head: int, tail: int) -> None:
    made = shortened(text, head, tail)
    assert made.startswith(text[:head])
    assert made.endswith(text[len(text) - min(tail, len(text)) :])
    assert (made == text) is (len(text) <= head + tail) or "left out" in made


def test_breakpoints_are_set_and_retimed() -> None:
    hour, minutes = {"type": "ephemeral", "ttl": "1h"}, {"type": "ephemeral"}
    edits = [SetBreakpoint(at, ttl, why="") for at, ttl in ((READ, "1h"), (SYSTEM, "1h"), (LOOK, "5m"), (AND, "5m"))]
    made = after(*edits)
    assert made["tools"][0] == {**BODY["tools"][0], "cache_control": hour}
    assert made["system"] == [{"type": "text", "text": "be brief", "cache_control": hour}]
    assert made["messages"][0]["content"] == [{"type": "text", "text": "look", "cache_control": minutes}]
    assert made["messages"][2]["content"][1] == {"type": "text", "text": "and?", "cache_control": minutes}
    scoped = [{"type": "text", "text": "x", "cache_control": {"scope": "global", "type": "ephemeral"}}]
    again = after(SetBreakpoint(SYSTEM, "1h", why=""), system=scoped)["system"][0]["cache_control"]
    assert again == {"scope": "global", "type": "ephemeral", "ttl": "1h"}
    back = after(SetBreakpoint(SYSTEM, "5m", why=""), system=[{"type": "text", "text": "x", "cache_control": hour}])
    assert back["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "5m"}


def test_messages_are_left_out_and_blocks_are_counted_without_them() -> None:
    made = after(DropMessages(0, 1, why=""), SetBreakpoint(LOOK + 1, "5m", why=""))
    assert [message["role"] for message in made["messages"]] == ["user"]
    assert "cache_control" in made["messages"][0]["content"][1]
    assert after(DropMessages(1, 2, why=""))["messages"] == BODY["messages"][:1]
    assert after(DropMessages(1, 1, why=""))["messages"] == [BODY["messages"][0], BODY["messages"][2]]


REFUSED: list[list[Edit]] = [
    [SetBreakpoint(8, "5m", why="")],
    [SetBreakpoint(-1, "5m", why="")],
    [SetBreakpoint(THINKING, "5m", why="")],
    [SetBreakpoint(LATE, "5m", why="")],
    [SetBreakpoint(READ, "5m", why=""), SetBreakpoint(AND, "1h", why="")],
    [SetBreakpoint(at, "5m", why="") for at in (READ, SYSTEM, LOOK, USED, AND)],
    [ReplaceContent(LOOK, "x", 1, why="")],
    [ShortenContent(USED, 1, 1, 1, why="")],
    [DropMessages(0, 2, why="")],
    [DropMessages(2, 3, why="")],
    [DropMessages(0, 1, why=""), DropMessages(2, 2, why="")],
]


def test_one_message_stands_for_several_and_the_rest_stays_byte_for_byte() -> None:
    more = [*BODY["messages"], {"role": "assistant", "content": "so"}, {"role": "user", "content": "and now?"}]
    raw = json.dumps(BODY | {"messages": more}).encode()
    made = edited(raw, [ReplaceMessages(1, 3, 'in "short"', 3, why=""), SetBreakpoint(USED, "1h", why="")])
    text = {"type": "text", "text": 'in "short"'}
    last = {"type": "text", "text": "and now?", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    kept = {"role": "user", "content": [last]}
    assert json.loads(made)["messages"] == [more[0], {"role": "assistant", "content": [text]}, kept]
    begin = raw.index(b'{"role": "assistant"')
    assert made.startswith(raw[:begin])
    assert made.endswith(raw[raw.index(b', "max_tokens"') :])


def test_messages_that_set_something_stay() -> None:
    more = [BODY["messages"][0], {"role": "assistant", "content": "so", "x": 1}, {"role": "user", "content": "and?"}]
    with pytest.raises(ValueError, match="hold settings"):
        after(ReplaceMessages(1, 1, "in short", 3, why=""), messages=more)


def test_a_summary_stands_for_another_model_too() -> None:
    more = [*BODY["messages"], {"role": "assistant", "content": "so"}, {"role": "user", "content": "and now?"}]
    made = after(SetModel("claude-opus-5-5", why=""), ReplaceMessages(1, 3, "in short", 3, why=""), messages=more)
    assert made["model"] == "claude-opus-5-5"
    assert [each["role"] for each in made["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize("edits", REFUSED)
def test_what_does_not_fit_is_refused(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match=r"."):
        after(*edits)


AUTOMATIC = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


@pytest.mark.parametrize(
    ("changed", "edit"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 500}}, SetMaxOutput(500, why="")),
        (AUTOMATIC, SetBreakpoint(AND, "5m", why="")),
        ({"system": ""}, SetBreakpoint(SYSTEM, "5m", why="")),
        ({"messages": None}, SetBreakpoint(READ, "5m", why="")),
    ],
)
def test_what_the_body_does_not_allow_is_refused(changed: dict[str, Any], edit: Edit) -> None:
    with pytest.raises(ValueError, match=r"."):
        after(edit, **changed)


def test_the_requests_own_breakpoint_stands_last() -> None:
    made = after(SetBreakpoint(READ, "1h", why=""), **AUTOMATIC)
    assert made["tools"][0]["cache_control"]["ttl"] == "1h"


def test_a_breakpoint_inside_a_result_is_left_to_the_client() -> None:
    inner = {**RESULT, "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}
    messages = [*BODY["messages"][:2], {"role": "user", "content": [inner]}]
    with pytest.raises(ValueError, match="inside"):
        after(SetBreakpoint(GOT, "1h", why=""), messages=messages)


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"model":"a","model":"b"}', b"{"])
def test_what_is_no_body_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        edited(raw, [SetModel("m", why="")])
    with pytest.raises(ValueError, match="model"):
        edited(b"{}", [SetModel("m", why="")])

from __future__ import annotations

from typing import Any

import pytest

from formats.streams import stream
from underspend.core.usage import Usage
from underspend.formats.dialects.neutral import (
    Alive,
    Began,
    Ended,
    Event,
    More,
    PartBegan,
    PartEnded,
    Problem,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolUse,
)
from underspend.formats.dialects.responses_event_reader import BROKEN_OFF, ResponsesEventReader

CREATED = {"type": "response.created", "response": {"id": "resp_1", "model": "m", "status": "in_progress"}}
USAGE = {"input_tokens": 5, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 2}}


def ended(status: str = "completed", **more: Any) -> dict[str, Any]:
    response = {"id": "resp_1", "model": "m", "status": status, "output": [], "usage": USAGE, **more}
    return {"type": f"response.{status}", "response": response}


def added(item: dict[str, Any], index: int = 0, state: str = "added") -> dict[str, Any]:
    return {"type": f"response.output_item.{state}", "output_index": index, "item": item}


def delta(kind: str, words: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}.delta", "output_index": index, "delta": words, **more}


def read(*values: Any, cut: bytes = b"") -> list[Event]:
    reader = ResponsesEventReader()
    return [*reader.feed(stream(*values) + cut), *reader.finish()]


END = Ended(Stop.END, Usage(5, output=7), thinking_tokens=2)
BEGAN = Began("resp_1", "m")
CALL = {"type": "function_call", "id": "fc", "call_id": "c", "name": "weather", "arguments": ""}


def test_words_come_as_they_are_said() -> None:
    piece = {"type": "response.content_part.added", "output_index": 0, "content_index": 0}
    message = {"type": "message", "content": [{"type": "output_text", "text": "ab"}]}
    assert read(
        CREATED,
        {**CREATED, "type": "response.in_progress"},
        added({"type": "message", "content": []}),
        {**piece, "part": {"type": "output_text", "text": ""}},
        delta("output_text", "a", content_index=0),
        delta("output_text", "b", content_index=0),
        added(message, state="done"),
        ended(),
    ) == [BEGAN, PartBegan(Text("")), More("a"), More("b"), PartEnded(), END]


def test_calls_that_come_mixed_are_told_one_after_the_other() -> None:
    events = read(
        CREATED,
        added(CALL, 0),
        added({**CALL, "call_id": "d"}, 1),
        delta("function_call_arguments", '{"b":', 1),
        delta("function_call_arguments", "{}", 0),
        delta("function_call_arguments", "2}", 1),
        added({**CALL, "arguments": "{}"}, 0, "done"),
        ended(),
    )
    assert events == [
        BEGAN,
        PartBegan(ToolUse("c", "weather", "")),
        More("{}"),
        PartEnded(),
        PartBegan(ToolUse("d", "weather", "")),
        More('{"b":'),
        More("2}"),
        PartEnded(),
        Ended(Stop.TOOLS, Usage(5, output=7), thinking_tokens=2),
    ]


def test_reasoning_has_its_proof_at_the_end() -> None:
    item = {"type": "reasoning", "summary": [], "encrypted_content": "early"}
    second = {"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 1}
    done = {**item, "encrypted_content": "gA"}
    events = read(
        CREATED,
        added(item),
        {**second, "summary_index": 0},
        delta("reasoning_summary_text", "why"),
        second,
        delta("reasoning_summary_text", "so"),
        delta("reasoning_text", "the same in more words"),
        added(done, state="done"),
        ended(),
    )
    words = [More("why"), More("\n\n"), More("so")]
    assert events == [BEGAN, PartBegan(Thinking(dialect="responses")), *words, PartEnded("gA"), END]


def test_a_refusal_ends_as_one() -> None:
    events = read(CREATED, delta("refusal", "No.", content_index=0), ended())
    assert events[1:3] == [PartBegan(Refusal("")), More("No.")]
    assert events[-1] == Ended(Stop.REFUSAL, Usage(5, output=7), thinking_tokens=2)


def test_items_that_come_whole_are_told_whole() -> None:
    message = {"type": "message", "content": [{"type": "output_text", "text": "a"}]}
    thought = {"type": "reasoning", "summary": [{"text": "why"}], "encrypted_content": "gA"}
    expected = [PartBegan(Thinking(dialect="responses")), More("why"), PartEnded("gA")]
    expected += [PartBegan(Text("")), More("a"), PartEnded()]
    assert read(CREATED, added(thought, 0, "done"), added(message, 1, "done"), ended()) == [BEGAN, *expected, END]
    assert read(ended(output=[thought, message])) == [BEGAN, *expected, END]


def test_openais_own_tools_leave_no_event() -> None:
    search = {"type": "web_search_call", "id": "ws"}
    searching = {"type": "response.web_search_call.searching", "output_index": 0}
    assert read(CREATED, added(search), searching, added(search, state="done"), ended()) == [BEGAN, END]


@pytest.mark.parametrize(
    ("details", "stop"),
    [({"reason": "max_output_tokens"}, Stop.LENGTH), ({"reason": "content_filter"}, Stop.REFUSAL), (None, Stop.LENGTH)],
)
def test_an_incomplete_reply_says_why(details: object, stop: Stop) -> None:
    last = read(CREATED, ended("incomplete", incomplete_details=details))[-1]
    assert isinstance(last, Ended)
    assert last.stop is stop


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "error": {"type": "server_error", "code": "server_error", "message": "Sorry."}},
        {"type": "error", "code": "server_error", "message": "Sorry.", "param": None},
        ended("failed", error={"code": "server_error", "message": "Sorry."}),
    ],
)
def test_an_error_is_told_once_and_nothing_after_it(event: dict[str, Any]) -> None:
    assert read(CREATED, event, event, ended()) == [BEGAN, Problem("api_error", "Sorry.", "server_error")]


def test_a_stream_without_its_end_broke_off() -> None:
    broken = Problem("api_error", BROKEN_OFF)
    assert read() == [broken]
    assert read(CREATED, cut=b'event: response.completed\ndata: {"type":"response.comp') == [BEGAN, broken]


def test_what_was_lost_at_the_beginning_does_not_hurt() -> None:
    assert read(delta("output_text", "a", content_index=0), ended())[:2] == [Began("", ""), PartBegan(Text(""))]


def test_signs_of_life_are_told() -> None:
    reader = ResponsesEventReader()
    assert reader.feed(b": PROCESSING\n\n" + stream({"type": "keepalive"})) == [Alive(), Alive()]
    assert reader.feed(b"data: nonsense\n\ndata: [DONE]\n\n") == []

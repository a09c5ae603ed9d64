from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from formats.dialects.responses_samples import ASK, answers, payloads, told
from underspend.core.usage import Usage
from underspend.formats.dialects.neutral import (
    Alive,
    Answer,
    Began,
    Ended,
    Event,
    More,
    PartBegan,
    PartEnded,
    Problem,
    Stop,
    Text,
    Thinking,
    ToolUse,
)
from underspend.formats.dialects.responses_event_writer import ResponsesEventWriter

SDK: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
BEGAN = Began("1", "m")
END = Ended(Stop.END, Usage())


def written(*events: Event) -> list[Any]:
    writer = ResponsesEventWriter(ASK)
    return payloads(b"".join(map(writer.write, events)))


def kinds(*events: Event) -> list[str]:
    return [event["type"].removeprefix("response.") for event in written(*events)]


@settings(deadline=None)
@given(answers())
def test_openais_sdk_parses_every_event_and_they_are_numbered(answer: Answer) -> None:
    events = written(*told(answer))
    assert [SDK.validate_python(event).sequence_number for event in events] == list(range(len(events)))


def test_text_is_told_as_openai_tells_it() -> None:
    assert kinds(BEGAN, PartBegan(Text("")), More("a"), More("b"), PartEnded(), END) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_a_call_is_told_as_openai_tells_it() -> None:
    events = written(BEGAN, PartBegan(ToolUse("c", "t", "")), More('{"a":'), More("1}"), PartEnded(), END)
    assert [event["type"].removeprefix("response.") for event in events[2:-1]] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert events[2]["item"]["arguments"] == ""
    assert events[5]["arguments"] == events[6]["item"]["arguments"] == '{"a":1}'


def test_a_call_without_arguments_has_an_object() -> None:
    done = written(BEGAN, PartBegan(ToolUse("c", "t")), PartEnded(), END)[-2]
    assert done["item"]["arguments"] == "{}"


def test_reasoning_without_words_has_no_summary() -> None:
    events = written(BEGAN, PartBegan(Thinking(dialect="responses")), PartEnded("gA"), END)
    assert [event["type"] for event in events[2:4]] == ["response.output_item.added", "response.output_item.done"]
    assert events[3]["item"]["encrypted_content"] == "gA"
    assert events[3]["item"]["summary"] == []


def test_the_signature_of_a_call_is_an_item_before_it() -> None:
    events = written(BEGAN, PartBegan(ToolUse("c", "t", "", signature="sig")), More("{}"), PartEnded(), END)
    assert [event["item"]["type"] for event in events if "item" in event] == ["reasoning"] * 2 + ["function_call"] * 2
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["reasoning", "function_call"]


@pytest.mark.parametrize(("stop", "kind"), [(Stop.LENGTH, "incomplete"), (Stop.TOOLS, "completed")])
def test_the_last_event_is_the_stops(stop: Stop, kind: str) -> None:
    assert kinds(BEGAN, Ended(stop, Usage()))[-1] == kind


def test_a_part_that_nobody_ended_is_ended_with_the_reply() -> None:
    last = written(BEGAN, PartBegan(Text("")), More("a"), END)[-1]
    assert last["response"]["output"][0]["content"][0]["text"] == "a"


def test_after_an_error_there_is_nothing_more() -> None:
    events = written(BEGAN, PartBegan(Text("")), More("a"), Problem("api_error", "Sorry."), PartEnded(), END)
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert events[-2]["error"]["message"] == events[-1]["response"]["error"]["message"] == "Sorry."
    assert events[-1]["response"]["status"] == "failed"


def test_an_error_before_anything_else_is_one_event() -> None:
    assert kinds(Problem("rate_limit_error", "Quota.", "c")) == ["error"]


def test_a_sign_of_life_is_a_comment() -> None:
    assert ResponsesEventWriter(ASK).write(Alive()) == b": alive\n\n"


def test_what_belongs_to_no_part_is_not_told() -> None:
    assert ResponsesEventWriter(ASK).write(More("stray")) == b""
    assert ResponsesEventWriter(ASK).write(PartEnded()) == b""
    assert ResponsesEventWriter(ASK).write(END) == b""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from openai.types.responses import Response

from formats.dialects.responses_samples import ASK, SCHEMA, answers
from underspend.core.usage import Usage
from underspend.formats.dialects.neutral import Answer, Ask, Part, Refusal, Stop, Structured, Text, Tool, ToolUse
from underspend.formats.dialects.responses_answer_writer import response_id, write_answer
from underspend.formats.dialects.tool_labels import sent_name

ODD = "weather.of the day"


def written(*parts: Part, ask: Ask = ASK, stop: Stop = Stop.END, id: str = "1") -> dict[str, Any]:  # noqa: A002
    reply: dict[str, Any] = json.loads(write_answer(Answer(id=id, model="s", parts=parts, stop=stop), ask))
    return reply


@settings(deadline=None)
@given(answers())
def test_openais_sdk_parses_every_reply(answer: Answer) -> None:
    parsed = Response.model_validate_json(write_answer(answer, ASK))
    assert parsed.output_text == "".join(part.text for part in answer.parts if isinstance(part, Text))
    assert len({item.id for item in parsed.output}) == len(parsed.output)


@pytest.mark.parametrize(
    ("stop", "parts", "status", "reason"),
    [
        (Stop.END, (Text("a"),), "completed", None),
        (Stop.SEQUENCE, (Text("a"),), "completed", None),
        (Stop.TOOLS, (ToolUse("c", "t"),), "completed", None),
        (Stop.LENGTH, (Text("a"),), "incomplete", {"reason": "max_output_tokens"}),
        (Stop.REFUSAL, (), "incomplete", {"reason": "content_filter"}),
        (Stop.REFUSAL, (Refusal("No."),), "completed", None),
        (Stop.PAUSE, (Text("a"),), "incomplete", {"reason": None}),
    ],
)
def test_what_was_cut_short_is_incomplete(stop: Stop, parts: tuple[Part, ...], status: str, reason: object) -> None:
    reply = written(*parts, stop=stop)
    assert (reply["status"], reply["incomplete_details"]) == (status, reason)


def test_the_reply_says_what_was_asked() -> None:
    ask = replace(
        ASK,
        system=(Text("a"), Text("b")),
        tools=(Tool("weather", SCHEMA),),
        structured=Structured(SCHEMA, "city"),
        effort="low",
        parallel=False,
        max_output=9,
    )
    reply = written(Text("a"), ask=ask)
    assert reply["instructions"] == "a\n\nb"
    assert [tool["name"] for tool in reply["tools"]] == ["weather"]
    assert reply["text"]["format"]["name"] == "city"
    assert (reply["reasoning"]["effort"], reply["parallel_tool_calls"], reply["max_output_tokens"]) == ("low", False, 9)
    assert (reply["store"], reply["previous_response_id"], reply["error"]) == (False, None, None)


def test_a_tool_has_the_clients_name_for_it() -> None:
    ask = replace(ASK, tools=(Tool(ODD, SCHEMA),))
    (item,) = written(ToolUse("c", sent_name(ODD, 64)), ask=ask)["output"]
    assert item["name"] == ODD


def test_the_signature_of_a_call_is_an_item_before_it() -> None:
    output = written(Text("a"), ToolUse("c", "t", signature="sig"))["output"]
    assert [item["type"] for item in output] == ["message", "reasoning", "function_call"]
    assert [item["id"] for item in output] == ["msg_1_0", "rs_1_1", "fc_1_2"]


def test_a_reply_without_an_id_gets_one_of_its_own() -> None:
    first, second = (written(Text(words), id="")["id"] for words in "ab")
    assert first != second
    assert first.startswith("resp_")
    assert response_id("resp_9") == "resp_9"


def test_the_usage_is_openais() -> None:
    answer = Answer(id="1", model="s", parts=(), usage=Usage(1, 2, 0, 3, 4), thinking_tokens=1)
    assert json.loads(write_answer(answer, ASK))["usage"]["input_tokens"] == 6

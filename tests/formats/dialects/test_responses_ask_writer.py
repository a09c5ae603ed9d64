from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from formats.dialects.responses_samples import ASK, SCHEMA, TARGET
from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.neutral import Ask, Structured, Text, Tool, ToolChoice
from underspend.formats.dialects.responses_ask_writer import write_ask
from underspend.formats.translation import Target

TWO = replace(TARGET, efforts=("low", "high"))
LOUD = replace(TARGET, quiet=False)
TOOL = Tool("weather", SCHEMA)


def written(target: Target = TARGET, **more: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    body, dropped = write_ask(replace(ASK, **more), target)
    return json.loads(body), dropped


def test_nothing_is_kept_at_the_provider_and_reasoning_comes_with_its_proof() -> None:
    body, dropped = written()
    assert body == {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    assert dropped == ()


def test_a_tool_without_strict_is_not_held_to_openais_rules() -> None:
    (tool,) = written(tools=(TOOL,))[0]["tools"]
    assert tool == {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("any"), "required"),
        (ToolChoice("none"), "none"),
        (ToolChoice("tool", "weather"), {"type": "function", "name": "weather"}),
    ],
)
def test_choices_are_written(choice: ToolChoice, said: object) -> None:
    assert written(tools=(TOOL,), choice=choice, parallel=False)[0]["tool_choice"] == said


@pytest.mark.parametrize(
    ("structured", "format_"),
    [
        (Structured(), {"type": "json_object"}),
        (Structured(SCHEMA), {"type": "json_schema", "name": "reply", "schema": SCHEMA}),
        (Structured(SCHEMA, "a b", strict=True), {"type": "json_schema", "schema": SCHEMA, "strict": True}),
    ],
)
def test_the_form_of_the_reply_is_written(structured: Structured, format_: dict[str, Any]) -> None:
    said = written(structured=structured)[0]["text"]["format"]
    assert {**said, **format_} == said
    assert " " not in said.get("name", "")


@pytest.mark.parametrize(
    ("more", "target", "effort", "note"),
    [
        ({"effort": "high"}, TARGET, "high", None),
        ({"thinking": "off"}, TARGET, "none", None),
        ({"thinking": "off"}, TWO, "low", "thinking off: m thinks at least at effort low"),
        ({"thinking": "off"}, LOUD, "minimal", "thinking off: m thinks at least at effort minimal"),
        ({"effort": "max"}, TWO, "high", "effort max: m takes high"),
        ({"thinking": 4096}, TARGET, "low", "the budget of thinking: OpenAI goes by effort, low"),
        ({"thinking": "adaptive"}, TARGET, None, None),
        ({"effort": "low"}, replace(TARGET, thinking=False), None, "thinking and effort: m does not reason"),
        ({"thinking": "off"}, replace(TARGET, thinking=False), None, None),
    ],
)  # fmt: skip
def test_thinking_goes_by_effort(more: Any, target: Target, effort: str | None, note: str | None) -> None:
    body, dropped = written(target, **more)
    assert body.get("reasoning", {}).get("effort") == effort
    assert dropped == ((note,) if note else ())


@pytest.mark.parametrize(
    ("more", "target", "note"),
    [
        ({"top_k": 4}, TARGET, "top_k: OpenAI has none"),
        ({"seed": 4}, TARGET, "seed: the Responses API has none"),
        ({"user": "x" * 65}, TARGET, "user: it is longer than OpenAI takes"),
        ({"temperature": 0.5}, replace(TARGET, sampling=False), "temperature and top_p: m takes none"),
        ({"max_output": 9}, replace(TARGET, max_output=8), "max_output 9: m gives at most 8"),
        ({"system": (Text("a", "5m"),)}, TARGET, "cache_control: OpenAI caches by itself"),
        ({"cache": "5m"}, TARGET, "cache_control: OpenAI caches by itself"),
    ],
)
def test_what_is_left_out_is_said(more: dict[str, Any], target: Target, note: str) -> None:
    assert written(target, **more)[1] == (note,)


def test_numbers_are_written_within_the_models_limit() -> None:
    body, _ = written(replace(TARGET, max_output=8), max_output=9, temperature=0.5, top_p=0.9, user="u", stream=True)
    assert (body["max_output_tokens"], body["temperature"], body["top_p"]) == (8, 0.5, 0.9)
    assert (body["safety_identifier"], body["stream"]) == ("u", True)


def test_a_breakpoint_that_the_provider_sets_is_asked_for_where_it_can() -> None:
    body, dropped = written(replace(TARGET, cache_control=True), cache="1h")
    assert body["prompt_cache_options"] == {"mode": "implicit", "ttl": "12h"}
    assert dropped == ()


@pytest.mark.parametrize(
    ("more", "target"),
    [
        ({"stop": ("a",)}, TARGET),
        ({"tools": (TOOL,)}, replace(TARGET, tools=False)),
        ({"structured": Structured(SCHEMA)}, replace(TARGET, structured=False)),
    ],
)
def test_what_would_change_the_reply_is_refused(more: dict[str, Any], target: Target) -> None:
    with pytest.raises(CannotCarryError):
        write_ask(replace(ASK, **more), target)


def test_the_body_depends_on_the_request_alone() -> None:
    ask = Ask(model="m", messages=ASK.messages, tools=(TOOL,), system=(Text("a"),))
    assert write_ask(ask, TARGET) == write_ask(ask, TARGET)

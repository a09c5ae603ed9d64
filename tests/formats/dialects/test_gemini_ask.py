from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from formats.dialects.responses_samples import ASK, SCHEMA, TARGET, asks
from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.gemini_ask import write_ask
from underspend.formats.dialects.neutral import Ask, Structured, Text, Tool, ToolChoice
from underspend.formats.translation import Target

TOOL = Tool("weather", SCHEMA, "Says it.")
LEVELS = replace(TARGET, efforts=("low", "high"))
BUDGETS = replace(TARGET, efforts=())


def written(target: Target = TARGET, **more: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    body, dropped = write_ask(replace(ASK, **more), target)
    return json.loads(body), dropped


def test_model_and_streaming_are_not_in_the_body() -> None:
    assert written(stream=True) == ({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}, ())


@settings(deadline=None)
@given(asks())
def test_every_call_and_result_and_word_is_sent(ask: Ask) -> None:
    sent = json.loads(write_ask(ask, TARGET)[0])
    found = (
        json.dumps(sent["contents"]).count('"functionCall"'),
        json.dumps(sent["contents"]).count('"functionResponse"'),
    )
    kinds = [type(part).__name__ for message in ask.messages for part in message.parts]
    assert found == (kinds.count("ToolUse"), kinds.count("ToolResult"))
    said = [part["text"] for content in sent["contents"] for part in content["parts"] if "text" in part]
    assert said == [p.text for message in ask.messages for p in message.parts if isinstance(p, Text)]
    assert [message.role == "assistant" for message in ask.messages] == [c["role"] == "model" for c in sent["contents"]]


def test_system_words_and_settings_have_their_places() -> None:
    body, dropped = written(
        system=(Text("a"), Text("")),
        max_output=100,
        temperature=0.5,
        top_p=0.9,
        top_k=4,
        stop=("x",),
        seed=3,
        structured=Structured(SCHEMA),
    )
    assert body["systemInstruction"] == {"parts": [{"text": "a"}]}
    assert body["generationConfig"] == {
        "maxOutputTokens": 100,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 4,
        "stopSequences": ["x"],
        "seed": 3,
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }
    assert dropped == ()


def test_any_object_has_no_schema() -> None:
    assert written(structured=Structured())[0]["generationConfig"] == {"responseMimeType": "application/json"}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("any"), {"mode": "ANY"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("tool", "weather"), {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
    ],
)
def test_tools_and_the_choice_among_them_are_declared(choice: ToolChoice, said: dict[str, Any]) -> None:
    body, dropped = written(tools=(TOOL,), choice=choice)
    declared = {"name": "weather", "description": "Says it.", "parametersJsonSchema": SCHEMA}
    assert body["tools"] == [{"functionDeclarations": [declared]}]
    assert body["toolConfig"] == {"functionCallingConfig": said}
    assert dropped == ()


@pytest.mark.parametrize(
    ("more", "target", "said"),
    [
        ({}, TARGET, None),
        ({"thinking": "adaptive"}, TARGET, {"includeThoughts": True}),
        ({"effort": "low"}, TARGET, {"thinkingLevel": "low"}),
        ({"effort": "max"}, TARGET, {"thinkingLevel": "high"}),
        ({"effort": "medium"}, LEVELS, {"thinkingLevel": "low"}),
        ({"effort": "low"}, BUDGETS, {"thinkingBudget": 4096}),
        ({"thinking": 2000}, TARGET, {"thinkingBudget": 2000, "includeThoughts": True}),
        ({"thinking": 2000}, LEVELS, {"thinkingLevel": "low", "includeThoughts": True}),
        ({"thinking": 2000, "effort": "high"}, LEVELS, {"thinkingLevel": "high", "includeThoughts": True}),
        ({"thinking": "off"}, TARGET, {"thinkingBudget": 0}),
        ({"thinking": "off"}, LEVELS, {"thinkingLevel": "low"}),
        ({"thinking": "off"}, replace(TARGET, quiet=False), {"thinkingLevel": "minimal"}),
        ({"thinking": "off"}, replace(BUDGETS, quiet=False), None),
        ({"thinking": 2000}, replace(TARGET, thinking=False), None),
    ],
)
def test_thinking_goes_by_level_or_by_budget(more: dict[str, Any], target: Target, said: object) -> None:
    assert written(target, **more)[0].get("generationConfig", {}).get("thinkingConfig") == said


@pytest.mark.parametrize(
    ("more", "target", "note"),
    [
        ({"thinking": "off"}, LEVELS, "thinking off: m thinks at least at the level low"),
        ({"thinking": "off"}, replace(BUDGETS, quiet=False), "thinking off: m always thinks"),
        ({"thinking": 2000}, LEVELS, "the budget of thinking: the model goes by level, low"),
        ({"thinking": 2000, "effort": "low"}, LEVELS, "the budget of thinking: the effort that came with it is sent"),
        ({"effort": "max"}, TARGET, "effort max: m takes high"),
        ({"effort": "low"}, BUDGETS, "effort low: m goes by a budget, 4096 tokens"),
        ({"effort": "low"}, replace(TARGET, thinking=False), "thinking and effort: m does not reason"),
        ({"max_output": 9}, replace(TARGET, max_output=8), "max_output 9: m gives at most 8"),
        ({"temperature": 1.0, "top_k": 3}, replace(TARGET, sampling=False), "temperature, topK: m takes none"),
        ({"parallel": False}, TARGET, "one tool call at a time: Gemini cannot be held to it"),
        ({"user": "u"}, TARGET, "user: Gemini has none"),
        ({"cache": "5m"}, TARGET, "cache_control: Gemini caches by itself"),
        ({"tools": (replace(TOOL, cache="5m"),)}, TARGET, "cache_control: Gemini caches by itself"),
        ({"tools": (replace(TOOL, strict=True),)}, TARGET, "strict of a tool: Gemini has none"),
        ({"tools": (Tool("t", {"$schema": "x"}),)}, TARGET, "$schema in the schema of a tool: Gemini does not take it"),
        ({"structured": Structured({"not": {}})}, TARGET, "not in the schema of the reply: Gemini does not take it"),
    ],
)
def test_what_is_left_out_is_said(more: dict[str, Any], target: Target, note: str) -> None:
    assert written(target, **more)[1] == (note,)


@pytest.mark.parametrize(
    ("more", "target"),
    [
        ({"tools": (TOOL,)}, replace(TARGET, tools=False)),
        ({"structured": Structured(SCHEMA)}, replace(TARGET, structured=False)),
    ],
)
def test_what_the_model_cannot_do_is_refused(more: dict[str, Any], target: Target) -> None:
    with pytest.raises(CannotCarryError, match="cannot be sent to Gemini: m does not take it"):
        write_ask(replace(ASK, **more), target)

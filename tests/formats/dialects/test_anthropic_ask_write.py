from __future__ import annotations

import json
from typing import Any

import pytest

from formats.dialects.asks import CLOSED, OPEN, ask
from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.anthropic_ask_write import write_ask
from underspend.formats.dialects.limits import limits
from underspend.formats.dialects.neutral import (
    Ask,
    Document,
    Image,
    Message,
    Structured,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from underspend.formats.translation import Target

TARGET = Target(model="m", provider="anthropic")
TOOL = Tool("t", OPEN)
LOOP = (
    Message("user", (Text("go"),)),
    Message("assistant", (ToolUse("a", "t"),)),
    Message("user", (ToolResult("a", (Text("r"),)),)),
)


def written(given: Ask, **target: Any) -> tuple[Any, tuple[str, ...]]:
    body, notes = write_ask(given, Target(model="m", provider="anthropic", **target))
    return json.loads(body), notes


def test_a_limit_is_always_sent() -> None:
    assert written(ask())[0]["max_tokens"] == limits("anthropic")["max_tokens"]
    assert written(ask(), max_output=64)[0]["max_tokens"] == 64
    assert written(ask(max_output=7), max_output=64)[0]["max_tokens"] == 7


def test_a_limit_above_the_models_own_is_lowered_and_said() -> None:
    body, notes = written(ask(max_output=100), max_output=64)
    assert body["max_tokens"] == 64
    assert notes == ("a limit of 100 tokens: the model's own is 64",)


@pytest.mark.parametrize(
    ("given", "lacking", "what"),
    [
        (ask(Message("user", (Image(url="u"),))), "images", "A picture"),
        (ask(Message("user", (ToolResult("a", (Image(url="u"),)),))), "images", "A picture"),
        (ask(Message("user", (Document(url="u"),))), "documents", "A document"),
        (ask(tools=(TOOL,)), "tools", "A call with tools"),
        (ask(structured=Structured(CLOSED)), "structured", "A reply that must fit a schema"),
        (ask(tools=(TOOL,), choice=ToolChoice("any")), "forced_tools", "A call that demands a tool"),
    ],
)
def test_what_the_model_cannot_do_is_refused_in_words(given: Ask, lacking: str, what: str) -> None:
    written(given)
    with pytest.raises(CannotCarryError, match=f"{what} cannot be sent to anthropic: m .*Choose a model"):
        written(given, **{lacking: False})


@pytest.mark.parametrize(
    ("given", "target", "thinking"),
    [
        (ask(), {}, None),
        (ask(thinking="off"), {}, {"type": "disabled"}),
        (ask(thinking="off"), {"quiet": False}, None),
        (ask(thinking="off"), {"thinking": False}, None),
        (ask(thinking="adaptive"), {}, {"type": "adaptive"}),
        (ask(thinking=5000), {}, {"type": "adaptive"}),
        (ask(thinking="adaptive"), {"thinking": False}, None),
        (ask(thinking="adaptive", tools=(TOOL,), choice=ToolChoice("any")), {}, None),
        (ask(thinking=5000), {"adaptive": False}, {"type": "enabled", "budget_tokens": 5000}),
        (ask(thinking="adaptive", effort="low"), {"adaptive": False}, {"type": "enabled", "budget_tokens": 4096}),
        (ask(thinking=5000, max_output=4000), {"adaptive": False}, {"type": "enabled", "budget_tokens": 2976}),
        (ask(thinking=5000, max_output=1500), {"adaptive": False}, None),
        (ask(*LOOP, thinking=5000), {"adaptive": False}, None),
    ],
)
def test_thinking_is_as_the_model_takes_it(given: Ask, target: Any, thinking: Any) -> None:
    body, notes = written(given, **target)
    assert body.get("thinking") == thinking
    told = thinking is None and given.thinking is not None and not (given.thinking == "off" and "quiet" not in target)
    assert any("thinking" in note for note in notes) == (told or (given.thinking == 5000 and not target))


@pytest.mark.parametrize(
    ("effort", "efforts", "sent", "said"),
    [
        (None, None, None, False),
        ("none", None, None, False),
        ("high", None, "high", False),
        ("minimal", None, "low", True),
        ("xhigh", ("low", "medium", "high"), "high", True),
        ("high", (), None, True),
    ],
)
def test_effort_is_as_the_model_takes_it(effort: str | None, efforts: Any, sent: str | None, said: bool) -> None:
    body, notes = written(ask(effort=effort), efforts=efforts)
    assert body.get("output_config", {}).get("effort") == sent
    assert bool(notes) == said


@pytest.mark.parametrize(
    ("given", "target", "sent", "said"),
    [
        (ask(temperature=0.2), {}, {"temperature": 0.2}, 0),
        (ask(temperature=1.7), {}, {"temperature": 1.0}, 1),
        (ask(temperature=0.2, top_p=0.9), {}, {"temperature": 0.2}, 1),
        (ask(top_p=0.9, top_k=3), {}, {"top_p": 0.9, "top_k": 3}, 0),
        (ask(temperature=0.2, thinking="adaptive"), {}, {}, 1),
        (ask(temperature=0.2, top_p=0.1), {"sampling": False}, {}, 2),
        (ask(temperature=1), {"sampling": False}, {}, 0),
        (ask(seed=3), {}, {}, 1),
    ],
)
def test_sampling_is_as_the_model_takes_it(given: Ask, target: Any, sent: Any, said: int) -> None:
    body, notes = written(given, **target)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == sent
    assert len(notes) == said


def test_a_schema_is_made_enforceable_and_what_it_lost_is_said() -> None:
    body, notes = written(ask(structured=Structured({**CLOSED, "minProperties": 1})))
    assert body["output_config"]["format"]["schema"]["additionalProperties"] is False
    assert notes == ("minProperties of the schema: Anthropic does not enforce it; the model is told of it",)


def test_a_strict_tool_is_made_enforceable_too() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
    body, notes = written(ask(tools=(Tool("t", schema, strict=True),)))
    assert body["tools"][0]["input_schema"]["additionalProperties"] is False
    assert notes == ("minimum of the tool t: Anthropic does not enforce it; the model is told of it",)


def test_any_json_at_all_cannot_be_enforced_and_that_is_said() -> None:
    body, notes = written(ask(structured=Structured()))
    assert "output_config" not in body
    assert "json_object" in notes[0]


def test_instructions_alone_are_what_is_asked() -> None:
    assert written(Ask(model="m", messages=(), system=(Text("s"),)))[0]["messages"] == [
        {"role": "user", "content": "s"}
    ]
    body, _ = written(Ask(model="m", messages=(Message("system", (Text("m"),)),), system=(Text("s"),)))
    assert body["messages"] == [{"role": "user", "content": "m"}]
    assert body["system"] == [{"type": "text", "text": "s"}]


def test_a_conversation_begins_with_the_user() -> None:
    body, notes = written(ask(Message("assistant", (Text("Welcome"),)), Message("user", (Text(" "),)), *LOOP[:1]))
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert len(notes) == 1


def test_a_system_message_in_the_midst_becomes_a_reminder_where_the_model_takes_none() -> None:
    given = ask(Message("user", (Text("a"),)), Message("system", (Text("b"), Image(url="u"))))
    assert written(given)[0]["messages"][1]["role"] == "system"
    reminder = written(given, mid_system=False)[0]["messages"][1]
    assert reminder["role"] == "user"
    assert reminder["content"][0]["text"] == "<system-reminder>\nb\n</system-reminder>"


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (None, None, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("tool", "t"), True, {"type": "tool", "name": "t", "disable_parallel_tool_use": False}),
        (ToolChoice("none"), False, {"type": "none"}),
    ],
)
def test_the_choice_of_tools_is_written(choice: ToolChoice | None, parallel: bool | None, sent: Any) -> None:
    body, _ = written(ask(tools=(Tool("t", {}, strict=True, cache="1h"),), choice=choice, parallel=parallel))
    assert body.get("tool_choice") == sent
    assert body["tools"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert body["tools"][0]["input_schema"]["type"] == "object"


def test_blank_stop_sequences_are_left_out() -> None:
    body, notes = written(ask(stop=("\n", "END")))
    assert body["stop_sequences"] == ["END"]
    assert len(notes) == 1


def test_a_breakpoint_that_the_provider_sets_is_asked_for() -> None:
    assert written(ask(cache="5m"))[0]["cache_control"] == {"type": "ephemeral"}

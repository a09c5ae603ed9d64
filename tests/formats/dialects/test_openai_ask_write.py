from __future__ import annotations

import json
from typing import Any

import pytest

from formats.dialects.asks import CLOSED, OPEN, ask
from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.neutral import (
    Ask,
    Image,
    Message,
    Part,
    Structured,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from underspend.formats.dialects.openai_ask_write import write_ask
from underspend.formats.translation import Target


def written(given: Ask, **target: Any) -> tuple[Any, tuple[str, ...]]:
    body, notes = write_ask(given, Target(model="m", **{"provider": "openai", **target}))
    return json.loads(body), notes


def messages(*parts: Part, role: Any = "user", **target: Any) -> list[Any]:
    found: list[Any] = written(ask(Message(role, parts)), **target)[0]["messages"]
    return found


def test_a_result_is_a_message_and_its_pictures_follow_all_results() -> None:
    parts = (ToolResult("a", (Text("1"), Image(url="u"))), ToolResult("b", (Image(url="v"),)), Text("more"))
    body, notes = written(ask(Message("user", parts)))
    assert body["messages"] == [
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "(See the attachment in the next message.)"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "u"}},
                {"type": "image_url", "image_url": {"url": "v"}},
                {"type": "text", "text": "more"},
            ],
        },
    ]
    assert notes == ("pictures and files in a tool's result: they follow it as a message of the user's",)


@pytest.mark.parametrize(
    ("said", "sent"),
    [("no such file", "ERROR: no such file"), ("Error: no", "Error: no"), ("<tool_use_error>x", "<tool_use_error>x")],
)
def test_a_failed_tool_says_so_in_words(said: str, sent: str) -> None:
    assert messages(ToolResult("a", (Text(said),), is_error=True))[0]["content"] == sent


def test_a_failed_tool_says_so_before_marked_words() -> None:
    found = messages(ToolResult("a", (Text("x", "5m"),), is_error=True), cache_control=True)[0]["content"]
    assert [part["text"] for part in found] == ["ERROR:", "x"]


def test_reasoning_stays_behind_and_calls_hang_on_the_message() -> None:
    parts = (Thinking("hm", "s", dialect="anthropic"), Text("a"), ToolUse("t", "n", '{"x":1}'))
    body, notes = written(ask(Message("assistant", parts)))
    call = {"id": "t", "type": "function", "function": {"name": "n", "arguments": '{"x":1}'}}
    assert body["messages"] == [{"role": "assistant", "content": "a", "tool_calls": [call]}]
    assert notes == ("thinking: only the model that wrote it can read it",)
    assert messages(Thinking("hm"), role="assistant") == []
    assert messages(ToolUse("t", "n"), role="assistant")[0]["content"] is None


@pytest.mark.parametrize(("provider", "length"), [("openai", 40), ("groq", 40), ("mistral", 9)])
def test_ids_fit_and_stay_the_same_in_call_and_result(provider: str, length: int) -> None:
    long = "toolu_" + "x" * 60
    given = ask(Message("assistant", (ToolUse(long, "n"),)), Message("user", (ToolResult(long),)))
    call, result = written(given, provider=provider)[0]["messages"]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert len(result["tool_call_id"]) == length


def test_an_id_of_another_provider_is_given_back_as_it_was() -> None:
    assert messages(ToolResult("uxid_ZnVuY3Rpb25zLng6MA"))[0]["tool_call_id"] == "functions.x:0"


def test_what_openai_limits_in_descriptions_goes_on_in_the_system_prompt() -> None:
    tools = (Tool("long", OPEN, "a" * 1024 + "b" * 9), Tool("short", OPEN, "c"))
    body, notes = written(ask(tools=tools, system=(Text("s"),)))
    assert [len(tool["function"]["description"]) for tool in body["tools"]] == [1024, 1]
    assert body["messages"][0]["content"] == "s\n\n# Descriptions of tools, continued\n\n## long\n\n" + "b" * 9
    assert len(notes) == 1
    other, notes = written(ask(tools=tools), provider="deepseek")
    assert len(other["tools"][0]["function"]["description"]) == 1033
    assert notes == ()


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("any"), "required"),
        (ToolChoice("tool", "t"), {"type": "function", "function": {"name": "t"}}),
    ],
)
def test_the_choice_of_tools_is_written(choice: ToolChoice | None, sent: Any) -> None:
    body, notes = written(ask(tools=(Tool("t", {}, cache="5m"),), choice=choice, parallel=False))
    assert body.get("tool_choice") == sent
    assert body["parallel_tool_calls"] is False
    assert body["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert notes == ("cache_control of tools: the provider caches by its own rules",)


def test_what_cannot_be_enforced_is_sent_unenforced_and_said() -> None:
    tools = (Tool("a", CLOSED, strict=True), Tool("b", OPEN, strict=True), Tool("c", OPEN, strict=False))
    body, notes = written(ask(tools=tools, structured=Structured(OPEN, "my reply", strict=True)))
    assert [tool["function"]["strict"] for tool in body["tools"]] == [True, False, False]
    form = body["response_format"]["json_schema"]
    assert form["strict"] is False
    assert form["name"].startswith("my_reply_")
    assert len(notes) == 2
    assert written(ask(structured=Structured()))[0]["response_format"] == {"type": "json_object"}
    assert "strict" not in written(ask(structured=Structured(OPEN)))[0]["response_format"]["json_schema"]


@pytest.mark.parametrize(
    ("provider", "name"),
    [("openai", "max_completion_tokens"), ("azure", "max_completion_tokens"), ("x-ai", "max_tokens")],
)
def test_the_limit_has_the_name_that_the_provider_knows(provider: str, name: str) -> None:
    assert written(ask(max_output=9), provider=provider)[0][name] == 9
    body, notes = written(ask(max_output=9), provider=provider, max_output=5)
    assert body[name] == 5
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("given", "target", "sent", "said"),
    [
        (ask(effort="high", thinking="adaptive"), {}, "high", 0),
        (ask(thinking="adaptive"), {}, None, 0),
        (ask(thinking=31999), {}, "high", 1),
        (ask(thinking="off"), {}, "none", 0),
        (ask(thinking="off"), {"efforts": ("minimal", "low")}, "minimal", 0),
        (ask(thinking="off"), {"thinking": False}, None, 0),
        (ask(effort="max"), {"efforts": ("low", "high")}, "high", 1),
        (ask(effort="max"), {"thinking": False}, None, 1),
        (ask(effort="max"), {"provider": "groq"}, None, 1),
        (ask(thinking="off"), {"provider": "groq"}, None, 1),
        (ask(), {"provider": "groq"}, None, 0),
        (ask(effort="max"), {"provider": "openrouter"}, "max", 0),
        (ask(effort="max"), {"provider": "groq", "efforts": ("low",)}, "low", 1),
    ],
)
def test_effort_is_as_the_model_takes_it(given: Ask, target: Any, sent: str | None, said: int) -> None:
    body, notes = written(given, **target)
    assert body.get("reasoning_effort") == sent
    assert len(notes) == said


def test_sampling_is_left_out_where_the_model_takes_none() -> None:
    given = ask(temperature=0.1, top_p=1, top_k=3, seed=4)
    body, notes = written(given)
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.1, 1, 4)
    assert len(notes) == 1
    body, notes = written(given, sampling=False)
    assert "temperature" not in body
    assert len(notes) == 2


def test_more_stop_sequences_than_openai_takes_are_refused() -> None:
    five = ask(stop=tuple("abcde"))
    with pytest.raises(CannotCarryError, match="A request with 5 stop sequences cannot be sent to OpenAI"):
        written(five)
    assert len(written(five, provider="groq")[0]["stop"]) == 5
    body, notes = written(ask(stop=("a", "a", "")))
    assert body["stop"] == ["a"]
    assert len(notes) == 1


def test_a_stream_is_always_asked_for_its_usage() -> None:
    assert written(ask(stream=True, include_usage=False))[0]["stream_options"] == {"include_usage": True}
    assert "stream_options" not in written(ask())[0]


def test_a_users_id_is_sent_where_it_fits() -> None:
    assert written(ask(user="me"))[0]["user"] == "me"
    body, notes = written(ask(user="x" * 65))
    assert "user" not in body
    assert len(notes) == 1


def test_breakpoints_go_to_providers_that_hand_them_on() -> None:
    parts = (ToolResult("a", (Text("r"),), cache="1h"), Text("q", "5m"))
    given = ask(Message("user", parts), system=(Text("s", "5m"),), cache="1h")
    body, notes = written(given, cache_control=True, provider="openrouter")
    assert json.dumps(body).count("cache_control") == 4
    assert notes == ()
    body, notes = written(given)
    assert "cache_control" not in json.dumps(body)
    assert notes == ("cache_control: the provider caches by its own rules",)


def test_a_system_message_in_the_midst_becomes_a_reminder_where_the_model_takes_none() -> None:
    given = ask(Message("user", (Text("a"),)), Message("system", (Text("b"),)))
    assert written(given)[0]["messages"][1] == {"role": "system", "content": "b"}
    reminder = written(given, mid_system=False)[0]["messages"][1]
    assert reminder == {"role": "user", "content": "<system-reminder>\nb\n</system-reminder>"}


def test_what_the_model_cannot_do_is_refused_in_words() -> None:
    with pytest.raises(CannotCarryError, match="A picture cannot be sent to groq: m reads no pictures"):
        messages(Image(url="u"), images=False, provider="groq")

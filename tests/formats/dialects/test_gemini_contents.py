from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from formats.dialects.responses_samples import TARGET
from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.gemini_contents import NO_SIGNATURE, Contents
from underspend.formats.dialects.left_out import LeftOut
from underspend.formats.dialects.neutral import (
    Document,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from underspend.formats.translation import Target


def written(*messages: Message, target: Target = TARGET) -> tuple[list[Any], tuple[str, ...]]:
    left_out = LeftOut()
    return Contents(target, left_out).write(messages), left_out.notes


def reply(*parts: Part) -> list[Any]:
    parts_sent: list[Any] = written(Message("assistant", parts))[0][0]["parts"]
    return parts_sent


def test_results_stand_in_the_order_of_their_calls_with_their_names() -> None:
    calls = Message("assistant", (ToolUse("a", "first"), ToolUse("b", "second")))
    bad = ToolResult("a", (Text("1"),), is_error=True)
    results = Message("user", (ToolResult("b", (Text("2"), Image("image/png", "AAA="))), bad, Text("so?")))
    contents, _ = written(calls, results)
    assert contents[1] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "a", "name": "first", "response": {"error": "1"}}},
            {"functionResponse": {"id": "b", "name": "second", "response": {"output": "2"}}},
            {"inlineData": {"mimeType": "image/png", "data": "AAA="}},
            {"text": "so?"},
        ],
    }


def test_only_the_first_call_of_a_reply_needs_a_signature() -> None:
    first, second = reply(ToolUse("a", "t", '{"x":1}'), ToolUse("b", "t"))
    assert first == {"functionCall": {"id": "a", "name": "t", "args": {"x": 1}}, "thoughtSignature": NO_SIGNATURE}
    assert second == {"functionCall": {"id": "b", "name": "t", "args": {}}}


def test_a_signature_goes_back_to_where_it_came_from() -> None:
    first, second = reply(Thinking("why", "s1", dialect="gemini"), ToolUse("a", "t", signature="s2"))
    assert first == {"text": "why", "thought": True, "thoughtSignature": "s1"}
    assert second["thoughtSignature"] == "s2"


@pytest.mark.parametrize("thinking", [Thinking("why", "s", dialect="anthropic"), Thinking("why", dialect="gemini")])
def test_reasoning_of_others_is_left_out_and_said(thinking: Thinking) -> None:
    contents, notes = written(Message("assistant", (thinking, Text("a"))))
    assert contents == [{"role": "model", "parts": [{"text": "a"}]}]
    assert notes == ("reasoning of another provider, or without its signature",)


def test_a_message_that_says_nothing_is_not_sent() -> None:
    assert written(Message("user", (Text(""),)), Message("assistant", (Refusal(""),)))[0] == []


def test_a_system_message_amid_the_others_is_the_users_and_said() -> None:
    contents, notes = written(Message("system", (Text("a"),)))
    assert contents == [{"role": "user", "parts": [{"text": "a"}]}]
    assert notes == ("the rank of a system message amid the others: it is sent as the user's",)


@pytest.mark.parametrize("arguments", ["nonsense", "[1]"])
def test_arguments_that_are_no_object_are_sent_as_text_and_said(arguments: str) -> None:
    contents, notes = written(Message("assistant", (ToolUse("a", "t", arguments),)))
    assert contents[0]["parts"][0]["functionCall"]["args"] == {"arguments": arguments}
    assert notes == ("arguments of a tool call that are no object: they are sent as text",)


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (Image("image/png", "AAA="), {"inlineData": {"mimeType": "image/png", "data": "AAA="}}),
        (Image(url="https://x/a"), {"fileData": {"fileUri": "https://x/a"}}),
        (Document("application/pdf", url="gs://x"), {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://x"}}),
        (Document(text="a", title="t"), {"text": "t\na"}),
        (Document(text="a"), {"text": "a"}),
    ],
)
def test_pictures_and_files_are_sent(part: Part, sent: object) -> None:
    assert written(Message("user", (part,)))[0][0]["parts"] == [sent]


@pytest.mark.parametrize(
    "message",
    [
        Message("user", (Image(url="u"),)),
        Message("user", (Document("application/pdf", "AAA="),)),
        Message("user", (ToolResult("nobody"),)),
        Message("assistant", (ToolResult("a", name="t"),)),
    ],
)
def test_what_the_model_cannot_take_is_refused(message: Message) -> None:
    with pytest.raises(CannotCarryError, match="cannot be sent to Gemini"):
        written(message, target=replace(TARGET, images=False, documents=False))


def test_breakpoints_are_said() -> None:
    assert written(Message("user", (Text("a", "5m"), Text("b", "1h"))))[1] == (
        "cache_control: Gemini caches by itself",
    )

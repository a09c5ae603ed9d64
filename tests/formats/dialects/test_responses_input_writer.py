from __future__ import annotations

from dataclasses import replace

import pytest

from formats.dialects.responses_samples import TARGET
from underspend.core.errors import CannotCarryError
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
from underspend.formats.dialects.responses_input_writer import CACHE_MARKS, InputWriter
from underspend.formats.lenient import Json
from underspend.formats.translation import Target

SIGNED = Thinking("why", "gA", dialect="responses")


def written(*parts: Part, role: str = "assistant", target: Target = TARGET) -> tuple[list[Json], list[str]]:
    writer = InputWriter(target)
    items = writer.write([Message(role, parts)])  # type: ignore[arg-type]
    return items, list(writer.dropped)


def test_reasoning_goes_before_what_it_led_to() -> None:
    items, dropped = written(SIGNED, ToolUse("c", "weather"))
    assert [item["type"] for item in items] == ["reasoning", "function_call"]
    assert dropped == []


@pytest.mark.parametrize(
    "parts",
    [
        (Text("a"), SIGNED),
        (replace(SIGNED, dialect="anthropic"), Text("a")),
        (replace(SIGNED, signature=""), Text("a")),
    ],
)
def test_reasoning_that_openai_would_refuse_is_left_out_and_said(parts: tuple[Part, ...]) -> None:
    items, dropped = written(*parts)
    assert [item["type"] for item in items] == ["message"]
    assert dropped == ["reasoning of another provider, or without its proof"]


def test_another_providers_signature_of_a_call_is_left_out_and_said() -> None:
    ((item,), dropped) = written(ToolUse("c", "weather", signature="sig"))
    assert item == {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"}
    assert dropped == ["signatures of tool calls: they are another provider's"]


def test_a_refusal_stays_one() -> None:
    ((item,), _) = written(Refusal("No."))
    assert item["content"] == [{"type": "refusal", "refusal": "No."}]


def test_results_are_items_and_an_errors_mark_is_said() -> None:
    image = Image(url="https://x")
    results = (ToolResult("c", (Text("bad"),), is_error=True), ToolResult("d", (Text("a"), image)), ToolResult("e"))
    items, dropped = written(*results, Text("so?"), role="user")
    assert [item.get("output") for item in items[:3]] == [
        "bad",
        [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "https://x", "detail": "auto"}],
        "",
    ]
    assert items[3]["role"] == "user"
    assert dropped == ["the mark that a tool's result is an error; its words are sent"]


def test_system_words_amid_the_others_are_the_developers() -> None:
    assert written(Text("a"), role="system")[0][0]["role"] == "developer"


def test_breakpoints_are_set_where_the_model_takes_them_and_else_said() -> None:
    assert written(Text("a", "1h"), role="user")[1] == [CACHE_MARKS]
    items, dropped = written(Text("a", "1h"), role="user", target=replace(TARGET, cache_control=True))
    assert items[0]["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit", "ttl": "12h"}
    assert dropped == []


@pytest.mark.parametrize(
    ("part", "role"),
    [
        (Image(url="u"), "user"),
        (Document("application/pdf", "AAA="), "user"),
        (Image(url="u"), "assistant"),
        (ToolUse("c", "t"), "user"),
    ],
)
def test_what_the_model_cannot_take_is_refused(part: Part, role: str) -> None:
    with pytest.raises(CannotCarryError):
        written(part, role=role, target=replace(TARGET, images=False, documents=False))


def test_a_file_of_plain_text_needs_no_ability() -> None:
    assert written(Document(text="a"), role="user", target=replace(TARGET, documents=False))[1] == []


def test_a_call_and_its_result_keep_matching_when_the_id_is_too_long() -> None:
    long = "x" * 90
    ((call,), _), ((result,), _) = written(ToolUse(long, "t")), written(ToolResult(long), role="user")
    assert call["call_id"] == result["call_id"] != long

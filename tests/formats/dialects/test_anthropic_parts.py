from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.anthropic_parts import input_of, read_blocks, read_cache, write_blocks
from underspend.formats.dialects.left_out import LeftOut
from underspend.formats.dialects.neutral import (
    Document,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)

MARK = {"cache_control": {"type": "ephemeral"}}
BOTH_WAYS: list[tuple[Any, Part]] = [
    ({"type": "text", "text": "a", **MARK}, Text("a", "5m")),
    (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}},
        Image("image/png", "eA=="),
    ),
    ({"type": "image", "source": {"type": "url", "url": "https://x/y"}, **MARK}, Image(url="https://x/y", cache="5m")),
    (
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "t"}, "title": "n"},
        Document("text/plain", text="t", title="n"),
    ),
    ({"type": "document", "source": {"type": "url", "url": "https://x/y"}}, Document(url="https://x/y")),
    (
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "eA=="}},
        Document("application/pdf", "eA=="),
    ),
    ({"type": "tool_use", "id": "a", "name": "n", "input": {"x": 1.0}}, ToolUse("a", "n", '{"x":1.0}')),
    (
        {
            "type": "tool_result",
            "tool_use_id": "a",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}},
            ],
            "is_error": True,
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
        ToolResult("a", (Text("see"), Image("image/png", "eA==")), is_error=True, cache="1h"),
    ),
    ({"type": "thinking", "thinking": "hm", "signature": "s"}, Thinking("hm", "s", dialect="anthropic")),
    ({"type": "redacted_thinking", "data": "d"}, Thinking(redacted="d", dialect="anthropic")),
]


def written(*parts: Part) -> tuple[Any, tuple[str, ...]]:
    left_out = LeftOut()
    return json.loads(msgspec.json.encode(write_blocks(parts, left_out))), left_out.notes


def read(*blocks: Any) -> tuple[list[Part], tuple[str, ...]]:
    left_out = LeftOut()
    return read_blocks(list(blocks), left_out), left_out.notes


@pytest.mark.parametrize(("block", "part"), BOTH_WAYS)
def test_a_block_and_its_part_are_each_other(block: Any, part: Part) -> None:
    assert read(block) == ([part], ())
    assert written(part) == ([block], ())


def test_results_of_tools_come_first() -> None:
    words, result = {"type": "text", "text": "a"}, {"type": "tool_result", "tool_use_id": "b", "content": "c"}
    assert read(words, result)[0] == [ToolResult("b", (Text("c"),)), Text("a")]


@pytest.mark.parametrize(
    "kind", ["server_tool_use", "web_search_tool_result", "mcp_tool_use", "compaction", "fallback"]
)
def test_blocks_of_anthropics_servers_are_left_out_and_named(kind: str) -> None:
    parts, notes = read({"type": kind})
    assert parts == []
    assert len(notes) == 1
    assert kind in notes[0]


def test_a_loaded_tool_is_said_in_words() -> None:
    result = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "tool_reference", "tool_name": "Grep"}]}
    assert read(result)[0] == [ToolResult("a", (Text("The tool Grep can be used now."),))]


def test_a_search_result_and_a_document_of_texts_are_words() -> None:
    found = {"type": "search_result", "title": "t", "source": "s", "content": [{"type": "text", "text": "w"}]}
    assert read(found)[0] == [Text("t\ns\nw")]
    source = {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    document = {"type": "document", "source": source, "context": "why", "citations": {"enabled": True}}
    assert read(document) == (
        [Document("text/plain", text="a\n\nb", title="why")],
        ("citations of documents: the provider does not cite",),
    )
    assert read({**document, "source": {"type": "content", "content": "c"}})[0][0] == Document(
        "text/plain", text="c", title="why"
    )


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {"type": "document", "source": {"type": "file", "file_id": "f"}},
        {"type": "container_upload", "file_id": "f"},
        {"type": "document", "source": {"type": "content", "content": [{"type": "image"}]}},
    ],
)
def test_what_is_kept_at_anthropic_is_refused(block: Any) -> None:
    with pytest.raises(CannotCarryError, match="cannot be sent to another provider") as caught:
        read(block)
    assert {"what", "provider", "problem", "mend"} == caught.value.details.keys()


def test_blank_text_and_foreign_reasoning_are_not_sent() -> None:
    blocks, notes = written(Text(" \n"), Thinking("hm", dialect="openai"), Thinking("hm", dialect="anthropic"))
    assert blocks == []
    assert notes == ("reasoning of another model: only the model that wrote it can read it",)
    assert written(Refusal("no"), Refusal(" "))[0] == [{"type": "text", "text": "no"}]


def test_a_result_that_says_nothing_has_no_content() -> None:
    assert written(ToolResult("a"))[0] == [{"type": "tool_result", "tool_use_id": "a"}]
    assert written(ToolUse("", ""))[0] == []


def test_ids_that_anthropic_refuses_are_made_valid_in_call_and_result() -> None:
    use, result = written(ToolUse("functions.x:0", "n"), ToolResult("functions.x:0", (Text("r"),)))[0]
    assert use["id"] == result["tool_use_id"]
    assert use["id"].replace("_", "a").isalnum()


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        ("null", {}),
        ("[1]", {"arguments": "[1]"}),
        ('{"a": ', {"arguments": '{"a": '}),
    ],
)
def test_an_input_is_always_an_object(arguments: str, given: Any) -> None:
    assert json.loads(msgspec.json.encode(input_of(arguments))) == given


def test_a_breakpoint_without_a_lifetime_is_the_short_one() -> None:
    assert read_cache({"cache_control": {"type": "ephemeral", "ttl": "1h"}}) == "1h"
    assert read_cache({"cache_control": {"type": "ephemeral"}}) == "5m"
    assert read_cache({"cache_control": None}) is None
    assert read(*[]) == ([], ())
    assert read_blocks("", LeftOut()) == []


def test_the_detail_of_a_picture_is_left_out_and_said() -> None:
    assert written(Image(url="u", detail="auto"))[1] == ()
    assert written(Image(url="u", detail="high"))[1] == ("the detail of pictures: Anthropic has nothing like it",)

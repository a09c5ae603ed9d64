from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.testing.fake_upstream import blocks
from underspend.testing.fake_upstream.api_error import ApiError

EPHEMERAL = {"type": "ephemeral"}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def test_order_is_tools_then_system_then_messages_with_web_search_heading_the_system() -> None:
    found = blocks.positions(
        {
            "messages": [user({"type": "text", "text": "m"})],
            "system": "s",
            "tools": [{"type": "web_search_20260209", "name": "web_search"}, {"name": "t"}],
        }
    )
    assert [(p.section, p.where) for p in found] == [
        ("tools", "tools.1"),
        ("system", "tools.0"),
        ("system", "system.0"),
        ("messages", "messages.0.content.0"),
    ]


@given(st.text(min_size=1))
def test_a_string_is_a_one_text_block_list(text: str) -> None:
    one = blocks.positions({"messages": [{"role": "user", "content": text}]})
    other = blocks.positions({"messages": [user({"cache_control": EPHEMERAL, "text": text, "type": "text"})]})
    assert one[0].identity == other[0].identity
    assert one[0].tokens == other[0].tokens
    assert (one[0].ttl, other[0].ttl) == (None, "5m")


def test_role_is_part_of_a_block() -> None:
    asked = blocks.positions({"messages": [{"role": "user", "content": "x"}]})
    said = blocks.positions({"messages": [{"role": "assistant", "content": "x"}]})
    assert asked[0].identity != said[0].identity


def test_consecutive_messages_of_one_role_are_one_turn() -> None:
    block = {"type": "text", "text": "x"}
    together = blocks.positions({"messages": [user(block, block)]})
    apart = blocks.positions({"messages": [user(block), user(block)]})
    assert [p.identity for p in together] == [p.identity for p in apart]


def test_a_message_without_content_marks_the_block_that_follows() -> None:
    control = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    plain = blocks.positions({"messages": [user({"type": "text", "text": "x"})]})
    marked = blocks.positions({"messages": [control, user({"type": "text", "text": "x"})]})
    assert len(marked) == 1
    assert marked[0].identity != plain[0].identity


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (
            {"messages": [user({"type": "thinking", "thinking": "x", "cache_control": EPHEMERAL})]},
            "messages.0.content.0.thinking.cache_control",
        ),
        (
            {"messages": [user({"type": "text", "text": "", "cache_control": EPHEMERAL})]},
            "messages.0.content.0.text",
        ),
        ({"tools": [{"name": "t", "defer_loading": True, "cache_control": EPHEMERAL}]}, "tools.0"),
        ({"system": [{"type": "text", "text": "x", "cache_control": {"type": "other"}}]}, "system.0"),
        (
            {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "2h"}}]},
            "system.0.cache_control.ephemeral.ttl",
        ),
    ],
)
def test_blocks_that_cannot_carry_a_breakpoint_are_refused_by_path(body: dict[str, Any], path: str) -> None:
    with pytest.raises(ApiError) as caught:
        blocks.positions(body)
    assert caught.value.status == 400
    assert caught.value.message.startswith(path)


def test_a_breakpoint_inside_a_tool_result_counts_for_the_result() -> None:
    inner = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": [inner]}
    assert blocks.positions({"messages": [user(result)]})[0].ttl == "1h"


def test_an_image_inside_a_tool_result_costs_by_size_not_by_bytes() -> None:
    image = {"type": "image", "source": {"type": "base64", "data": "A" * 40_000}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": [image]}
    alone = blocks.positions({"messages": [user(image)]})[0].tokens
    wrapped = blocks.positions({"messages": [user(result)]})[0].tokens
    assert alone <= wrapped < alone + 40


def test_deferred_tools_have_no_position() -> None:
    assert blocks.positions({"tools": [{"name": "t", "defer_loading": True}]}) == []
    listed = blocks.positions({"tools": [{"name": "t", "defer_loading": False}]})
    assert listed[0].identity == blocks.positions({"tools": [{"name": "t"}]})[0].identity


def test_salts_name_what_changes() -> None:
    plain = blocks.message_salt({}, default_effort="high", default_thinking="disabled")
    said = {"output_config": {"effort": "high"}, "thinking": {"type": "disabled"}, "tool_choice": {"type": "auto"}}
    assert blocks.message_salt(said, default_effort="high", default_thinking="disabled") == plain
    assert blocks.message_salt(said, default_effort="medium", default_thinking="disabled") == plain
    assert blocks.message_salt({}, default_effort="medium", default_thinking="disabled") != plain
    assert blocks.system_salt({}, "standard") != blocks.system_salt({}, "fast")


def test_a_deferred_definition_is_paid_where_a_tool_result_refers_to_it() -> None:
    tool = {"name": "later", "description": "d" * 4000, "defer_loading": True}
    reference = {"type": "tool_reference", "tool_name": "later"}
    result = {"type": "tool_result", "tool_use_id": "a", "content": [reference]}
    body = {"messages": [user(result)]}
    unknown, known = blocks.positions(body)[0], blocks.positions({**body, "tools": [tool]})[0]
    assert known.tokens - unknown.tokens > 1000
    assert known.identity.startswith(unknown.identity)


def test_a_breakpoint_on_an_image_inside_a_tool_result_does_not_change_its_tokens() -> None:
    image = {"type": "image", "source": {"type": "base64", "data": "A" * 400}}
    marked = {**image, "cache_control": {"type": "ephemeral"}}
    plain, with_mark = (
        blocks.positions({"messages": [user({"type": "tool_result", "tool_use_id": "a", "content": [each]})]})[0].tokens
        for each in (image, marked)
    )
    assert plain == with_mark

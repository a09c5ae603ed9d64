from __future__ import annotations

from underspend.testing.fake_upstream.bill import Counts
from underspend.testing.fake_upstream.replies import (
    Iteration,
    Reply,
    block_text,
    output_tokens,
    server_tool,
    thinking,
    tool_use,
)


def test_texts_become_blocks_and_empty_text_is_no_content() -> None:
    call = tool_use("Read", {"file_path": "a"})
    assert Reply(content=("Hi", call)).blocks() == [{"type": "text", "text": "Hi"}, call]
    assert Reply(content="").blocks() == []


def test_output_is_counted_over_what_travels_in_deltas() -> None:
    assert output_tokens([]) == 0
    assert output_tokens([{"type": "text", "text": "a" * 40}]) == 10
    assert output_tokens([thinking("a" * 40), tool_use("t", {"k": "v"})]) == 10 + 3


def test_the_text_of_each_kind_of_block() -> None:
    assert block_text(tool_use("t", {"b": 1, "a": 2})) == '{"b":1,"a":2}'
    assert block_text({"type": "compaction", "content": None}) == ""
    assert block_text({"type": "redacted_thinking", "data": "x"}) == ""


def test_a_server_tool_is_a_call_and_its_result() -> None:
    call, result = server_tool("web_search", {"query": "q"}, [])
    assert call["id"] == result["tool_use_id"]
    assert result["type"] == "web_search_tool_result"


def test_an_iteration_has_counts() -> None:
    made = Iteration(type="compaction", input_tokens=1, cache_write_5m=2, cache_write_1h=3, cache_read=4)
    assert made.counts == Counts(1, 2, 3, 4, 0)

from __future__ import annotations

import json
from typing import Any

import pytest

from formats.dialects.asks import ask
from formats.dialects.replies import assembled, events
from formats.streams import BLOCK, STOP, delta, event, start, stream, text_delta
from underspend.core.usage import Usage
from underspend.formats.dialects.anthropic_events import CUT, TWO, AnthropicEventReader, AnthropicEventWriter
from underspend.formats.dialects.neutral import (
    Alive,
    Answer,
    Began,
    More,
    PartBegan,
    PartEnded,
    Problem,
    Refusal,
    Stop,
    Text,
    Thinking,
    Tool,
    ToolUse,
)
from underspend.formats.dialects.tool_labels import sent_name

END = {"type": "content_block_stop", "index": 0}
LONG = "mcp__" + "server_" * 10 + "tool"


def read(body: bytes) -> Any:
    reader = AnthropicEventReader()
    return assembled([*reader.feed(body), *reader.finish()])


def block(**given: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 0, "content_block": given}


def grows(**given: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": given}


def test_a_stream_is_read_with_its_last_usage() -> None:
    usage = {"input_tokens": 5, "output_tokens": 1}
    body = stream(start(usage), BLOCK, text_delta("a"), text_delta("b"), END, delta({"output_tokens": 9}), STOP)
    assert read(body) == Answer(id="msg_1", model="claude-opus-5-5", parts=(Text("ab"),), usage=Usage(5, output=9))


def test_thinking_keeps_its_signature_and_server_tools_are_passed_over() -> None:
    body = stream(
        start({}),
        block(type="thinking", thinking="", signature=""),
        grows(type="thinking_delta", thinking="hm"),
        grows(type="signature_delta", signature="si"),
        grows(type="signature_delta", signature="gned"),
        END,
        block(type="redacted_thinking", data="dark"),
        END,
        block(type="server_tool_use", id="s", name="web_search", input={}),
        grows(type="input_json_delta", partial_json="{}"),
        END,
        {"type": "future_event", "usage": {"output_tokens": 99}},
        block(type="text", text="he"),
        grows(type="citations_delta", citation={}),
        grows(type="text_delta", text="llo"),
        delta({"output_tokens": 2}),
        STOP,
    )
    assert read(body).parts == (
        Thinking("hm", "signed", dialect="anthropic"),
        Thinking(redacted="dark", dialect="anthropic"),
        Text("hello"),
    )


def test_a_tool_call_may_come_in_pieces_or_at_once() -> None:
    body = stream(
        start({}),
        block(type="tool_use", id="a", name="n", input={}),
        grows(type="input_json_delta", partial_json=""),
        grows(type="input_json_delta", partial_json='{"x"'),
        grows(type="input_json_delta", partial_json=":1}"),
        END,
        block(type="tool_use", id="b", name="n", input={"y": 2}),
        END,
        delta({}, "tool_use"),
        STOP,
    )
    assert read(body).parts == (ToolUse("a", "n", '{"x":1}'), ToolUse("b", "n", '{"y":2}'))


def test_a_reply_may_come_whole_in_its_start() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "tool_use", "id": "t", "name": "n", "input": {"x": 1}}]
    first = start({"output_tokens": 3})
    first["message"] |= {"content": content, "stop_reason": "tool_use"}
    found = read(stream(first, STOP))
    assert found.parts == (Text("a"), ToolUse("t", "n", '{"x":1}'))
    assert found.stop is Stop.TOOLS
    first["message"]["content"] = [{"type": "thinking", "thinking": "hm", "signature": "s"}]
    assert read(stream(first, STOP)).parts == (Thinking("hm", "s", dialect="anthropic"),)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", CUT),
        (stream(start({}), BLOCK, text_delta("a")), CUT),
        (stream(start({}), BLOCK, text_delta("a"), END), CUT),
        (stream(start({}), STOP), CUT),
        (stream(start({}), BLOCK, text_delta("a"), start({}, id="msg_2")), TWO),
        (stream(start({}), {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, STOP), "busy"),
        (event({"type": "error"}), CUT),
    ],
)
def test_a_stream_without_its_end_is_a_problem(body: bytes, words: str) -> None:
    assert read(body).message == words


def test_only_the_last_event_may_be_missing() -> None:
    assert read(stream(start({}), BLOCK, text_delta("a"), END, delta({}))).parts == (Text("a"),)


def test_a_start_that_comes_twice_counts_once() -> None:
    body = stream(start({"input_tokens": 1}), start({"input_tokens": 2}), BLOCK, text_delta("a"), delta({}), STOP)
    assert read(body).usage == Usage(2)


def test_pings_and_comments_are_signs_of_life() -> None:
    reader = AnthropicEventReader()
    assert reader.feed(b': hi\n\nevent: ping\ndata: {"type":"ping"}\n\ndata: {broken\n\n') == [Alive(), Alive()]
    assert reader.feed(stream(grows(type="text_delta", text="lost"))) == []


def written(answer: Answer, **more: Any) -> list[dict[str, Any]]:
    writer = AnthropicEventWriter(ask(**more))
    body = b"".join(map(writer.write, events(answer)))
    return [json.loads(line[5:]) for line in body.splitlines() if line.startswith(b"data:")]


def test_claude_code_gets_the_events_it_knows_in_order() -> None:
    parts = (Text("hello"), ToolUse("call_1", "n", '{"x":1}'))
    found = written(Answer(id="a", model="m", parts=parts, stop=Stop.TOOLS, usage=Usage(1, 2, 0, 4, 5)))
    assert [each["type"] for each in found] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [each["index"] for each in found if "index" in each] == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert found[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert found[-2]["usage"]["cache_read_input_tokens"] == 4
    assert found[0]["message"]["usage"]["input_tokens"] == 0


def test_foreign_reasoning_becomes_pings_and_own_reasoning_stays() -> None:
    thoughts = (Thinking("hmm", dialect="openai"), Thinking("ok", "s", dialect="anthropic"), Refusal("no"))
    found = written(Answer(id="", model="m", parts=thoughts, stop=Stop.REFUSAL))
    blocks = [each["content_block"]["type"] for each in found if each["type"] == "content_block_start"]
    assert blocks == ["thinking", "text"]
    assert [each["type"] for each in found[1:2]] == ["ping"]
    assert found[0]["message"]["id"].startswith("msg_")


def test_the_clients_own_names_come_back() -> None:
    answer = Answer(id="a", model="m", parts=(ToolUse("f:0", sent_name(LONG, 64)),), stop=Stop.TOOLS)
    begun = written(answer, tools=(Tool(LONG, {}),))[1]["content_block"]
    assert begun["name"] == LONG
    assert begun["id"].startswith("uxid_")


def test_signs_of_life_and_errors_are_written_at_any_time() -> None:
    writer = AnthropicEventWriter(ask())
    assert writer.write(Alive()).startswith(b":")
    writer.write(Began("a", "m"))
    assert b'"ping"' in writer.write(Alive())
    assert writer.write(PartBegan(Thinking(dialect="gemini"))) == b""
    assert b'"ping"' in writer.write(More("hm"))
    assert writer.write(PartEnded("sig")) == b""
    assert writer.write(Problem("api_error", "gone")).startswith(b"event: error\ndata: ")

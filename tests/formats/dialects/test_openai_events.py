from __future__ import annotations

import json
from typing import Any

import pytest

from formats.dialects.asks import ask
from formats.dialects.replies import assembled, events
from underspend.core.usage import Usage
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
    ToolUse,
)
from underspend.formats.dialects.openai_events import CUT, OpenAiEventReader, OpenAiEventWriter

DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}}


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: %b\n\n" % json.dumps({"id": "c", "model": "m", "choices": [choice], "usage": None}).encode()


def call(index: int | None, arguments: Any, use: str | None = None, name: str | None = None) -> dict[str, Any]:
    return {"index": index, "id": use, "function": {"name": name, "arguments": arguments}}


def read(*chunks: bytes) -> Any:
    reader = OpenAiEventReader()
    return assembled([*reader.feed(b"".join(chunks)), *reader.finish()])


def test_a_stream_is_read_with_the_usage_of_its_last_chunk() -> None:
    last = b"data: %b\n\n" % json.dumps({"id": "c", "choices": [], "usage": USAGE}).encode()
    found = read(chunk(role="assistant", content=""), chunk(content="a"), chunk(content="b"), chunk("stop"), last, DONE)
    assert found == Answer(id="c", model="m", parts=(Text("ab"),), usage=Usage(4, cache_read=6, output=4))


def test_usage_is_found_where_groq_and_moonshot_put_it() -> None:
    groq = b'data: {"id":"c","choices":[],"x_groq":{"usage":{"prompt_tokens":3}}}\n\n'
    assert read(chunk("stop", content="a"), groq).usage == Usage(3)
    inside = b'data: {"id":"c","choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":4}}\n\n'
    assert read(chunk(content="a"), inside).usage == Usage(4)


def test_reasoning_words_and_refusals_are_parts_of_their_own() -> None:
    found = read(
        chunk(reasoning_content="h"), chunk(reasoning="m"), chunk(content="a"), chunk(refusal="no"), chunk("stop"), DONE
    )
    assert found.parts == (Thinking("hm", dialect="openai"), Text("a"), Refusal("no"))
    assert found.stop is Stop.REFUSAL


def test_parallel_calls_in_mixed_pieces_come_out_in_order() -> None:
    found = read(
        chunk(tool_calls=[call(0, '{"a"', "x", "n")]),
        chunk(tool_calls=[call(1, "{}", "y", "n")]),
        chunk(tool_calls=[call(0, ":1}")]),
        chunk("tool_calls"),
        DONE,
    )
    assert found.parts == (ToolUse("x", "n", '{"a":1}'), ToolUse("y", "n", "{}"))
    assert found.stop is Stop.TOOLS


@pytest.mark.parametrize("index", [None, 0])
def test_calls_without_an_index_of_their_own_are_told_apart(index: int | None) -> None:
    calls = [call(index, '{"a":1}', "x", "n"), call(index, {"b": 2}, "y", "n")]
    expected = (ToolUse("x", "n", '{"a":1}'), ToolUse("y", "n", '{"b":2}'))
    assert read(chunk(tool_calls=calls), chunk("stop"), DONE).parts == expected
    assert read(*(chunk(tool_calls=[each]) for each in calls), chunk("stop"), DONE).parts == expected


def test_a_call_that_begins_late_or_without_an_id_is_a_call_all_the_same() -> None:
    found = read(chunk(tool_calls=[call(0, "")]), chunk(tool_calls=[call(0, '{"a"', None, "n")]),
                 chunk(tool_calls=[call(0, ":1}")]), chunk("stop"), DONE)  # fmt: skip
    (use,) = found.parts
    assert use.id.startswith("call_")
    assert (use.name, use.arguments) == ("n", '{"a":1}')
    assert found.stop is Stop.TOOLS


def test_repeated_ids_belong_to_the_call_they_name() -> None:
    pieces = ['{"a"', ":1}"]
    found = read(*(chunk(tool_calls=[call(0, piece, "x", "n")]) for piece in pieces), chunk("tool_calls"), DONE)
    assert found.parts == (ToolUse("x", "n", '{"a":1}'),)


@pytest.mark.parametrize(
    "chunks",
    [(), (DONE,), (chunk(content="a"),), (chunk(content="a"), DONE), (chunk(tool_calls=[call(0, "{", "x", "n")]),)],
)
def test_a_stream_without_a_finish_is_a_problem_even_when_it_says_it_is_done(chunks: tuple[bytes, ...]) -> None:
    assert read(*chunks) == Problem("api_error", CUT)


def test_an_error_in_the_stream_is_the_providers_own() -> None:
    error = b'data: {"error":{"message":"overloaded","code":503}}\n\n'
    assert read(chunk(content="a"), error, chunk("stop"), DONE) == Problem("overloaded_error", "overloaded", "503")


@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource"])
def test_a_finish_that_is_a_failure_is_a_problem(reason: str) -> None:
    assert read(chunk(content="a"), chunk(reason), DONE) == Problem("api_error", CUT)
    said = {"id": "c", "choices": [{"delta": {}, "finish_reason": reason, "error": {"code": 502, "message": "gone"}}]}
    assert read(b"data: %b\n\n" % json.dumps(said).encode(), DONE) == Problem("api_error", "gone", "502")


def test_what_comes_beside_the_reply_is_passed_over() -> None:
    azure = b'data: {"id":"","model":"","choices":[],"prompt_filter_results":[]}\n\n'
    other = b'data: {"id":"c","choices":[{"index":1,"delta":{"content":"z"}}]}\n\n'
    assert read(azure, b"data: {broken\n\n", chunk("stop", content="a"), other, DONE, chunk(content="late")) == Answer(
        id="c", model="m", parts=(Text("a"),)
    )
    reader = OpenAiEventReader()
    assert reader.feed(b": OPENROUTER PROCESSING\n\n") == [Alive()]
    assert read(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n').id.startswith("chatcmpl-")


def test_a_stop_sequence_is_known_where_the_server_names_it() -> None:
    vllm = b'data: {"id":"c","choices":[{"delta":{},"finish_reason":"stop","stop_reason":"END"}]}\n\n'
    found = read(chunk(content="a"), vllm, DONE)
    assert (found.stop, found.stop_sequence) == (Stop.SEQUENCE, "END")


def written(answer: Answer, **more: Any) -> list[Any]:
    writer = OpenAiEventWriter(ask(**more), created=7)
    body = b"".join(map(writer.write, events(answer)))
    assert body.endswith(DONE)
    return [json.loads(line[5:]) for line in body.splitlines() if line.startswith(b"data: {")]


def test_a_client_gets_role_words_calls_finish_and_usage_in_order() -> None:
    parts = (Text("abc"), ToolUse("x", "n", '{"a":1}'), ToolUse("y", "o", ""), Refusal("no"))
    found = written(Answer(id="i", model="m", parts=parts, stop=Stop.TOOLS, usage=Usage(1, output=2)))
    deltas = [each["choices"][0]["delta"] for each in found if each["choices"]]
    assert deltas[:2] == [{"role": "assistant", "content": ""}, {"content": "abc"}]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert [(each["index"], each.get("id")) for each in calls if "id" in each] == [(0, "x"), (1, "y")]
    assert "".join(each["function"]["arguments"] for each in calls if each["index"] == 0) == '{"a":1}'
    assert "".join(each["function"]["arguments"] for each in calls if each["index"] == 1) == "{}"
    assert deltas[-2:] == [{"refusal": "no"}, {}]
    assert found[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]["total_tokens"] == 3
    assert {each["created"] for each in found} == {7}
    assert {each["object"] for each in found} == {"chat.completion.chunk"}


def test_usage_is_not_sent_to_who_did_not_ask_for_it() -> None:
    assert all("usage" not in each for each in written(Answer(id="i", model="m", parts=()), include_usage=False))


def test_reasoning_keeps_the_connection_alive_and_an_error_has_no_done() -> None:
    writer = OpenAiEventWriter(ask(), created=7)
    writer.write(Began("", "m"))
    assert writer.write(PartBegan(Thinking(dialect="anthropic"))) == b""
    assert writer.write(More("hm")) == writer.write(Alive()) == b": keep-alive\n\n"
    assert writer.write(PartEnded("s")) == b""
    gone = writer.write(Problem("rate_limit_error", "slow"))
    assert json.loads(gone.removeprefix(b"data: "))["error"]["message"] == "slow"
    assert b"[DONE]" not in gone

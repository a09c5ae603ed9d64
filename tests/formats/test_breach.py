from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.usage import Usage
from underspend.formats.anthropic_reply import AnthropicStreamMeter
from underspend.formats.breach import Dialect, EndableStream, Wire, error, reply
from underspend.formats.openai_reply import OpenAiMeter
from underspend.formats.sse import SseParser

NOW = 1_790_000_000_000_000
WORDS = "The budget 'team' is used up. „Weiter“ → raise it.\nOr pause it."


def made(dialect: Dialect, *, stream: bool, **more: bool) -> Wire:
    return reply(WORDS, dialect=dialect, stream=stream, model="m-1", call="c1", budget="team", now=NOW, **more)


def events(body: bytes) -> list[dict[str, object]]:
    parser = SseParser()
    found = parser.feed(body)
    assert parser.between_events
    return [json.loads(data) for data in found if data != b"[DONE]"]


@contextmanager
def client(wire: Wire) -> Iterator[tuple[anthropic.Anthropic, list[str]]]:
    """The SDK in front of a server that answers everything with one reply; the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(wire.status)
            for name, value in wire.headers:
                self.send_header(name.decode(), value.decode())
            self.end_headers()
            self.wfile.write(wire.body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with anthropic.Anthropic(
                base_url=f"http://127.0.0.1:{server.server_port}", api_key="k", max_retries=2
            ) as made:
                yield made, asked
        finally:
            server.shutdown()
            thread.join()


ASK = {"model": "m-1", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


def test_the_sdk_reads_the_reply_as_a_message_that_ends_the_turn() -> None:
    with client(made("anthropic", stream=False)) as (sdk, _):
        message = sdk.messages.create(**ASK)
    assert (message.content[0].text, message.stop_reason, message.model) == (WORDS, "end_turn", "m-1")
    assert (message.usage.input_tokens, message.usage.output_tokens) == (0, 0)
    assert message.id == "msg_underspend_c1"


def test_the_sdk_reads_the_stream_as_the_same_message() -> None:
    with client(made("anthropic", stream=True)) as (sdk, _), sdk.messages.stream(**ASK) as stream:
        assert "".join(stream.text_stream) == WORDS
        message = stream.get_final_message()
    assert (message.content[0].text, message.stop_reason) == (WORDS, "end_turn")
    assert message.usage.output_tokens == 0


def test_the_sdk_raises_the_error_at_once_and_does_not_try_again() -> None:
    with (
        client(error(WORDS, dialect="anthropic", budget="team")) as (sdk, asked),
        pytest.raises(anthropic.APIStatusError, match="underspend: The budget 'team'") as caught,
    ):
        sdk.messages.create(**ASK)
    assert len(asked) == 1
    assert caught.value.status_code == 402
    assert caught.value.body == {
        "type": "error",
        "error": {"type": "billing_error", "message": f"underspend: {WORDS}"},
    }


def test_openais_form_is_a_whole_completion() -> None:
    body = json.loads(made("openai", stream=False).body)
    assert body["object"] == "chat.completion"
    assert body["created"] == 1_790_000_000
    assert body["choices"][0]["message"] == {"role": "assistant", "content": WORDS, "refusal": None}
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["total_tokens"] == 0


@pytest.mark.parametrize("include_usage", [False, True])
def test_openais_stream_says_the_same_and_ends(include_usage: bool) -> None:
    wire = made("openai", stream=True, include_usage=include_usage)
    assert wire.body.endswith(b"data: [DONE]\n\n")
    chunks = events(wire.body)
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == WORDS
    assert [choice["finish_reason"] for choice in choices] == [None, "stop"]
    assert len([chunk for chunk in chunks if "usage" in chunk]) == include_usage
    assert {chunk["id"] for chunk in chunks} == {"chatcmpl-underspend-c1"}


def test_openais_error_is_of_its_shape() -> None:
    wire = error(WORDS, dialect="openai", budget="team")
    told = json.loads(wire.body)["error"]
    assert (told["type"], told["code"], told["param"]) == ("insufficient_quota", "budget_exceeded", None)
    assert dict(wire.headers)[b"x-should-retry"] == b"false"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
def test_headers_fit_the_body_and_nothing_is_billed(dialect: Dialect, stream: bool) -> None:
    wire = made(dialect, stream=stream)
    headers = dict(wire.headers)
    assert headers[b"content-length"] == str(len(wire.body)).encode()
    assert headers[b"content-type"] == (b"text/event-stream; charset=utf-8" if stream else b"application/json")
    assert headers[b"x-underspend-budget"] == b"team"
    if stream:
        meter = AnthropicStreamMeter() if dialect == "anthropic" else OpenAiMeter(stream=True)
        meter.feed(wire.body)
        assert meter.finish().usage == Usage()


def sse(*found: dict[str, object]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in found)


START = {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 5, "output_tokens": 1}}}
TEXT = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "one two"}}
STOP = {"type": "content_block_stop", "index": 0}
TOOL = {
    "type": "content_block_start",
    "index": 1,
    "content_block": {"type": "tool_use", "id": "t", "name": "n", "input": {}},
}
INPUT = {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
OVER = {"type": "message_stop"}


STOPS = [{"type": "content_block_stop", "index": n} for n in range(4)]
THINK = {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}
SERVER = {"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use", "id": "s"}}
RESULT = {"type": "content_block_start", "index": 1, "content_block": {"type": "web_search_tool_result"}}
WORDS_BLOCK = ["content_block_start", "content_block_delta", "content_block_stop"]


@pytest.mark.parametrize(
    ("so_far", "passed", "kinds", "reason"),
    [
        ((START,), 1, WORDS_BLOCK, "end_turn"),
        ((START, TEXT, DELTA, STOP), 4, WORDS_BLOCK, "end_turn"),
        ((START, TEXT, DELTA), 3, ["content_block_stop", *WORDS_BLOCK], "end_turn"),
        ((START, TEXT, DELTA, STOP, TOOL, INPUT), 4, WORDS_BLOCK, "end_turn"),
        ((START, TEXT, DELTA, STOP, TOOL, INPUT, STOPS[1]), 7, [], "tool_use"),
        ((START, THINK), 1, WORDS_BLOCK, "end_turn"),
        ((START, THINK, STOPS[0]), 3, WORDS_BLOCK, "end_turn"),
        ((START, SERVER, STOPS[0], RESULT), 1, WORDS_BLOCK, "end_turn"),
        ((START, SERVER, STOPS[0], RESULT, STOPS[1]), 5, WORDS_BLOCK, "end_turn"),
    ],
)
def test_a_stream_is_ended_as_a_whole_message_without_anything_half(
    so_far: tuple[dict[str, object], ...], passed: int, kinds: list[str], reason: str
) -> None:
    stream = EndableStream("anthropic")
    out = stream.feed(sse(*so_far))
    assert out == sse(*so_far[:passed])
    ending = stream.end(WORDS, output_tokens=42)
    found = events(ending)
    assert [event["type"] for event in found] == [*kinds, "message_delta", "message_stop"]
    assert found[-2]["delta"]["stop_reason"] == reason
    assert found[-2]["usage"] == {"output_tokens": 42}
    begun = [event["index"] for event in events(out + ending) if event["type"] == "content_block_start"]
    ended = [event["index"] for event in events(out + ending) if event["type"] == "content_block_stop"]
    assert begun == ended == list(range(len(begun)))
    meter = AnthropicStreamMeter()
    meter.feed(out + ending)
    metered = meter.finish()
    assert (metered.complete, metered.stop_reason, metered.usage.output) == (True, reason, 42)
    assert stream.end(WORDS, output_tokens=42) == b""


def test_pings_do_not_wait_for_what_is_kept() -> None:
    stream, ping = EndableStream("anthropic"), {"type": "ping"}
    assert stream.feed(sse(START, THINK, ping)) == sse(START, ping)
    assert stream.feed(sse(STOPS[0])) == sse(THINK, STOPS[0])


def test_a_provider_that_stops_in_the_middle_leaves_what_it_said() -> None:
    stream = EndableStream("anthropic")
    assert stream.feed(sse(START, THINK) + b"data: half") == sse(START)
    assert stream.rest() == sse(THINK) + b"data: half"
    assert stream.rest() == b""


def test_the_sdk_reads_a_stream_that_was_ended() -> None:
    stream = EndableStream("anthropic")
    whole = {**START["message"], "type": "message", "role": "assistant", "content": [], "model": "m"}
    body = stream.feed(sse({**START, "message": whole}, TEXT, DELTA)) + stream.end(WORDS, output_tokens=9)
    wire = made("anthropic", stream=True)
    headers = [(name, value) for name, value in wire.headers if name != b"content-length"]
    with client(Wire(200, headers, body)) as (sdk, _), sdk.messages.stream(**ASK) as reading:
        message = reading.get_final_message()
    assert [block.text for block in message.content] == ["one two", f"\n\n{WORDS}"]
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 9)


def test_a_stream_that_ended_by_itself_or_never_began_is_not_ended_again() -> None:
    over, empty, failed = (EndableStream("anthropic") for _ in range(3))
    over.feed(sse(START, TEXT, DELTA, STOP, END, OVER))
    failed.feed(sse(START, {"type": "error", "error": {"type": "overloaded_error"}}))
    empty.feed(b": a comment\n\nevent: ping\ndata: {}\n\ndata: no json\n\ndata: [1]\n\n")
    assert [each.end(WORDS, output_tokens=1) for each in (over, empty, failed)] == [b"", b"", b""]


@given(st.lists(st.integers(0, 900), max_size=8), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_what_is_fed_comes_out_unchanged_and_only_in_whole_events(cuts: list[int], line_end: bytes) -> None:
    body = sse(START, TEXT, DELTA, STOP, END, OVER).replace(b"\n", line_end) + b"data: half"
    stream, out, parser = EndableStream("anthropic"), b"", SseParser()
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    for start, end in itertools.pairwise(places):
        piece = stream.feed(body[start:end])
        out += piece
        parser.feed(piece)
        if line_end == b"\n":
            assert parser.between_events
    assert out + stream.rest() == body
    assert out == body.removesuffix(b"data: half")


CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


@pytest.mark.parametrize(
    ("delta", "reason", "said"),
    [({"content": "one"}, "stop", f"one\n\n{WORDS}"), ({"tool_calls": [{"index": 0}]}, "stop", f"\n\n{WORDS}")],
)
def test_openais_stream_is_ended_too(delta: dict[str, object], reason: str, said: str) -> None:
    stream = EndableStream("openai")
    first = {**CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    passed = stream.feed(f'data: {json.dumps(first)}\n\ndata: {{"choices": []}}\n\n'.encode())
    ending = stream.end(WORDS, output_tokens=3)
    assert ending.endswith(b"data: [DONE]\n\n")
    choices = [chunk["choices"][0] for chunk in events(passed + ending) if chunk["choices"]]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == said
    assert not [choice for choice in choices if "tool_calls" in choice["delta"]]
    assert choices[-1]["finish_reason"] == reason
    done = EndableStream("openai")
    done.feed(f"data: {json.dumps(first)}\n\ndata: [DONE]\n\n".encode())
    assert done.end(WORDS, output_tokens=3) == b""
    whole = EndableStream("openai")
    last = {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    body = f"data: {json.dumps(first)}\n\ndata: {json.dumps(last)}\n\n".encode()
    assert whole.feed(body) == body
    assert whole.end(WORDS, output_tokens=3) == b""

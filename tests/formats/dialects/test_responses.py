from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.dialects.responses_samples import ASK, JUNK, ROOT, TARGET, answers, asks, check, payloads, told
from formats.streams import CUTS, pieces
from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.gemini import GEMINI
from underspend.formats.dialects.neutral import Answer, Ask, Ended, Event, Message, Problem, ToolUse
from underspend.formats.dialects.responses import RESPONSES
from underspend.formats.translation import ClientDialect, ProviderDialect, Target, Translator

CACHING = Target(model="m", provider="openai", cache_control=True)


def both(client: ClientDialect, provider: ProviderDialect) -> Translator:
    return Translator(client, provider)


def test_every_recorded_bar_holds(tmp_path: Path) -> None:
    (tmp_path / "provider-traffic").symlink_to(ROOT)
    rows = list(check.rows(tmp_path))
    assert [bar for bar, _, held in rows if not held] == []
    assert len(rows) == 12


def test_it_is_a_client_and_a_provider() -> None:
    assert both(RESPONSES, RESPONSES).name == "responses_responses"
    assert both(RESPONSES, GEMINI).name == "responses_gemini"


@settings(deadline=None)
@given(asks())
def test_a_request_that_the_dialect_can_say_comes_back_as_it_was(ask: Ask) -> None:
    body, dropped = RESPONSES.write_ask(ask, CACHING)
    assert dropped == ()
    assert RESPONSES.read_ask(body) == ask


@settings(deadline=None)
@given(answers())
def test_a_reply_comes_back_as_it_was(answer: Answer) -> None:
    assert RESPONSES.read_answer(RESPONSES.write_answer(answer, ASK)) == answer


@settings(deadline=None)
@given(answers())
def test_a_stream_comes_back_as_it_was_and_as_the_whole_reply(answer: Answer) -> None:
    writer = RESPONSES.event_writer(ASK)
    stream = b"".join(map(writer.write, told(answer)))
    last = payloads(stream)[-1]["response"]
    assert last == json.loads(RESPONSES.write_answer(answer, ASK))
    assert RESPONSES.read_answer(json.dumps(last).encode()) == answer


SIGNED = st.builds(ToolUse, st.just("c"), st.just("weather"), st.just("{}"), signature=st.sampled_from(["", "sig"]))


@settings(deadline=None)
@given(answers(), st.lists(SIGNED, max_size=1))
def test_what_a_client_sends_back_of_a_reply_is_the_reply(answer: Answer, signed: list[ToolUse]) -> None:
    """Also another provider's reasoning, with its proof, and what Gemini signed of a tool's call."""
    told_of = replace(answer, parts=(*answer.parts, *signed))
    output = json.loads(RESPONSES.write_answer(told_of, ASK))["output"]
    ask = RESPONSES.read_ask(json.dumps({"model": "m", "input": output}).encode())
    assert ask.messages == ((Message("assistant", told_of.parts),) if told_of.parts else ())


@settings(deadline=None, max_examples=300)
@given(JUNK, JUNK, st.lists(JUNK, max_size=4))
def test_junk_is_no_request_no_reply_or_nothing(ask: Any, reply: Any, stream: list[Any]) -> None:
    """Whatever comes, nothing is raised but what the contract names."""
    with contextlib.suppress(ValueError, CannotCarryError):
        RESPONSES.write_ask(
            RESPONSES.read_ask(json.dumps({"model": "m", "input": [ask], **_named(ask)}).encode()), TARGET
        )
    with contextlib.suppress(ValueError):
        RESPONSES.read_answer(json.dumps({"status": "completed", "output": [reply], **_named(reply)}).encode())
    assert RESPONSES.read_problem(500, json.dumps(reply).encode()).message
    reader, writer = RESPONSES.event_reader(), RESPONSES.event_writer(ASK)
    fed = [*reader.feed(b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in stream)), *reader.finish()]
    assert isinstance(fed[-1], (Ended, Problem))
    assert b"".join(map(writer.write, fed))


def _named(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def streamed(name: str) -> bytes:
    (exchange,) = check.recordings.exchanges(next(ROOT.rglob(name)))
    reply: bytes = exchange.reply
    return reply


@pytest.mark.parametrize("name", ["openai-phase.1.chunks.txt", "openai-tool-search.1.chunks.txt"])
@settings(max_examples=25, deadline=None)
@given(sizes=CUTS)
def test_any_cut_of_a_stream_gives_the_client_the_same_bytes(name: str, sizes: list[int]) -> None:
    stream = streamed(name)
    exchange = both(RESPONSES, RESPONSES).translate(b'{"model":"a","input":"b","stream":true}', TARGET)
    whole, cut = exchange.streaming(), exchange.streaming()
    expected = whole.feed(stream) + whole.finish()
    assert b"".join(map(cut.feed, pieces(stream, sizes))) + cut.finish() == expected
    assert exchange.stream


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_a_stream_that_breaks_off_is_no_success(at: int) -> None:
    stream = streamed("openai-phase.1.chunks.txt")
    reader = RESPONSES.event_reader()
    events: list[Event] = [*reader.feed(stream[: at % stream.rfind(b"response.completed")]), *reader.finish()]
    assert isinstance(events[-1], Problem)
    assert not any(isinstance(event, Ended) for event in events)


def test_openais_sdk_reads_a_stream_and_a_reply() -> None:
    answer = Answer(id="1", model="served", parts=(), usage=ANSWERED.usage)
    writer = RESPONSES.event_writer(ASK)
    stream = b"".join(map(writer.write, told(ANSWERED)))

    def serve(request: Any) -> Any:
        if json.loads(request.content).get("stream"):
            return httpx2.Response(200, content=stream, headers={"content-type": "text/event-stream"})
        return httpx2.Response(200, content=RESPONSES.write_answer(answer, ASK))

    http = httpx2.Client(transport=httpx2.MockTransport(serve))
    with openai.OpenAI(api_key="k", base_url="http://x/v1", http_client=http) as client:
        assert client.responses.create(model="m", input="hello").output_text == ""
        with client.responses.stream(model="m", input="hello") as events:
            kinds = [event.type for event in events]
            final = events.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert final.output_text == "Sunny."
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
    assert final.usage.input_tokens == 10


def test_openais_sdk_raises_a_streams_error_with_the_providers_words() -> None:
    writer = RESPONSES.event_writer(ASK)
    events = [*told(ANSWERED)[:3], Problem("overloaded_error", "The model is overloaded: später.")]
    stream = b"".join(map(writer.write, events))
    answer = httpx2.Response(200, content=stream, headers={"content-type": "text/event-stream"})
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: answer))
    client = openai.OpenAI(api_key="k", base_url="http://x/v1", http_client=http)
    with client, pytest.raises(openai.APIError, match=r"The model is overloaded: später\."):
        list(client.responses.create(model="m", input="hello", stream=True))


def test_an_error_reply_goes_through_a_translator_with_its_words() -> None:
    exchange = both(RESPONSES, GEMINI).translate(b'{"model":"a","input":"b"}', TARGET)
    told_off = b'{"error":{"code":429,"message":"Quota, please.","status":"RESOURCE_EXHAUSTED"}}'
    assert json.loads(exchange.problem(429, told_off)) == {
        "error": {"message": "Quota, please.", "type": "rate_limit_error", "param": None, "code": "RESOURCE_EXHAUSTED"}
    }


def test_a_whole_reply_of_gemini_is_a_response() -> None:
    (recorded,) = check.recordings.exchanges(next(ROOT.rglob("google-tool-call-gemini3.json")))
    exchange = both(RESPONSES, GEMINI).translate(b'{"model":"a","input":"b"}', TARGET)
    reply = json.loads(exchange.reply(recorded.reply))
    assert [item["type"] for item in reply["output"]] == ["reasoning", "function_call"]
    assert reply["usage"]["total_tokens"] == 1845


ANSWERED = check.GEMINI.read_answer(
    json.dumps(
        {
            "responseId": "r1",
            "modelVersion": "served",
            "candidates": [
                {
                    "finishReason": "STOP",
                    "content": {
                        "parts": [
                            {"text": "Hm.", "thought": True},
                            {"text": "Sunny."},
                            {"functionCall": {"name": "weather", "args": {"city": "Rome"}}},
                        ]
                    },
                }
            ],
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 3},
        }
    ).encode()
)

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.dialects.responses_samples import ASK, JUNK, ROOT, TARGET, answers, check
from formats.streams import CUTS, pieces
from underspend.core.usage import Usage
from underspend.formats.dialects.gemini import GEMINI
from underspend.formats.dialects.gemini_contents import NO_SIGNATURE
from underspend.formats.dialects.neutral import Answer, Ended, Event, Message, Problem, Text, Thinking, ToolResult
from underspend.formats.dialects.responses import RESPONSES
from underspend.formats.lenient import Json
from underspend.formats.translation import Translator

CALLING = Translator(RESPONSES, GEMINI)
HELLO = b'{"model":"a","input":"hello","stream":true}'
STREAMS = ["google-tool-call-gemini3.chunks.txt", "google-reasoning.chunks.txt"]


def streamed(name: str) -> bytes:
    (exchange,) = check.recordings.exchanges(next(ROOT.rglob(name)))
    reply: bytes = exchange.reply
    return reply


def reply_of(answer: Answer) -> Json:
    """The answer as Gemini would give it."""
    parts: list[Json] = []
    for part in answer.parts:
        match part:
            case Text():
                parts.append({"text": part.text})
            case Thinking():
                parts.append({"text": part.text, "thought": True, "thoughtSignature": part.signature})
    return {
        "responseId": answer.id,
        "modelVersion": answer.model,
        "candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}],
    }


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=25, deadline=None)
@given(sizes=CUTS)
def test_any_cut_of_a_stream_gives_the_client_the_same_bytes(name: str, sizes: list[int]) -> None:
    stream = streamed(name)
    exchange = CALLING.translate(HELLO, TARGET)
    whole, cut = exchange.streaming(), exchange.streaming()
    expected = whole.feed(stream) + whole.finish()
    assert b"".join(map(cut.feed, pieces(stream, sizes))) + cut.finish() == expected
    assert b"response.completed" in expected


@pytest.mark.parametrize("name", STREAMS)
@settings(deadline=None)
@given(at=st.integers(0, 10**6))
def test_a_stream_that_breaks_off_is_no_success(name: str, at: int) -> None:
    stream = streamed(name)
    reader = GEMINI.event_reader()
    events: list[Event] = [*reader.feed(stream[: at % stream.rfind(b"finishReason")]), *reader.finish()]
    assert isinstance(events[-1], Problem)
    assert not any(isinstance(event, Ended) for event in events)


@settings(deadline=None)
@given(JUNK, st.lists(JUNK, max_size=4))
def test_junk_is_no_reply(reply: Any, stream: list[Any]) -> None:
    """Whatever comes, nothing is raised but what the contract names."""
    with contextlib.suppress(ValueError):
        GEMINI.read_answer(json.dumps(reply).encode())
    assert GEMINI.read_problem(500, json.dumps(reply).encode()).message
    reader, writer = GEMINI.event_reader(), RESPONSES.event_writer(ASK)
    fed = [*reader.feed(b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in stream)), *reader.finish()]
    assert isinstance(fed[-1], (Ended, Problem))
    assert b"".join(map(writer.write, fed))


@settings(deadline=None)
@given(answers())
def test_a_streams_words_are_the_whole_replys(answer: Answer) -> None:
    whole = reply_of(answer)
    reader = GEMINI.event_reader()
    events = [*reader.feed(b"data: " + json.dumps(whole).encode() + b"\r\n\r\n"), *reader.finish()]
    read = GEMINI.read_answer(json.dumps(whole).encode())
    assert check._said(events) == check._said(read)
    assert isinstance(events[-1], Ended)
    assert events[-1].stop is read.stop


def test_a_tool_session_keeps_gemini_3s_signature_through_a_client() -> None:
    """What Gemini signed goes to the client and back, in the place where it stood."""
    (first,) = check.recordings.exchanges(next(ROOT.rglob("google-tool-call-gemini3.json")))
    given = json.loads(first.reply)["candidates"][0]["content"]["parts"][0]
    exchange = CALLING.translate(HELLO, TARGET)
    output = json.loads(exchange.reply(first.reply))["output"]
    result = {"type": "function_call_output", "call_id": output[-1]["call_id"], "output": "21"}
    again = {"model": "a", "input": [{"role": "user", "content": "hello"}, *output, result]}
    sent = json.loads(CALLING.translate(json.dumps(again).encode(), TARGET).body)
    call, answered = sent["contents"][1]["parts"][0], sent["contents"][2]["parts"][0]["functionResponse"]
    assert call["thoughtSignature"] == given["thoughtSignature"] != NO_SIGNATURE
    assert call["functionCall"] == {**given["functionCall"], "id": output[-1]["call_id"]}
    assert answered == {"id": output[-1]["call_id"], "name": "weather", "response": {"output": "21"}}


def test_a_client_that_cannot_keep_the_signature_still_has_its_tool_session() -> None:
    use = GEMINI.read_answer(streamed("google-tool-call-gemini3.json")).parts[0]
    history = (*ASK.messages, Message("assistant", (replace(use, signature=""),)))  # type: ignore[type-var]
    result = Message("user", (ToolResult(use.id, (Text("21"),)),))  # type: ignore[union-attr]
    sent = json.loads(GEMINI.write_ask(replace(ASK, messages=(*history, result)), TARGET)[0])
    assert sent["contents"][1]["parts"][0]["thoughtSignature"] == NO_SIGNATURE


def test_lanes_are_apart() -> None:
    path = next((ROOT.parent / "provider-traffic").rglob("google-reasoning.chunks.txt"))
    (exchange,) = check.recordings.exchanges(path)
    reader = GEMINI.event_reader()
    last = [*reader.feed(exchange.reply), *reader.finish()][-1]
    assert isinstance(last, Ended)
    assert (last.usage, last.thinking_tokens) == (Usage(9, output=285), 256)


def test_its_name_is_in_the_translators() -> None:
    assert CALLING.name == "responses_gemini"

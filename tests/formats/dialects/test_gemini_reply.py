from __future__ import annotations

import json
from typing import Any

import pytest

from underspend.core.usage import Usage
from underspend.formats.dialects.gemini_reply import GeminiEventReader, read_answer
from underspend.formats.dialects.neutral import (
    Alive,
    Began,
    Ended,
    Event,
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

USAGE = {"promptTokenCount": 10, "cachedContentTokenCount": 4, "candidatesTokenCount": 3, "thoughtsTokenCount": 2}
BROKEN = Problem("api_error", "the provider's stream broke off before its end")


def chunk(*parts: Any, reason: str | None = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": parts}, **({"finishReason": reason} if reason else {})}
    return {"responseId": "r", "modelVersion": "m", "candidates": [{**candidate, **more}], "usageMetadata": USAGE}


def call(name: str = "weather", **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {"city": "Rome"}, **more}}


def read(*values: Any) -> list[Event]:
    reader = GeminiEventReader()
    fed = reader.feed(b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values))
    return [*fed, *reader.finish()]


def answer(*parts: Any, reason: str = "STOP", **more: Any) -> Any:
    return read_answer(json.dumps(chunk(*parts, reason=reason, **more)).encode())


BEGAN = Began("r", "m", Usage(6, cache_read=4))
END = Ended(Stop.END, Usage(6, cache_read=4, output=5), thinking_tokens=2)


def test_words_of_one_kind_are_one_part() -> None:
    events = read(
        chunk({"text": "Hm", "thought": True}),
        chunk({"text": ".", "thought": True, "thoughtSignature": "s"}),
        chunk({"text": "So"}),
        chunk({"text": "."}, {"text": "", "thoughtSignature": "t"}, reason="STOP"),
    )
    assert events == [
        BEGAN,
        PartBegan(Thinking(dialect="gemini")),
        More("Hm"),
        More("."),
        PartEnded("s"),
        PartBegan(Text("")),
        More("So"),
        More("."),
        PartEnded(),
        END,
    ]


def test_calls_without_ids_get_the_same_ones_however_they_come() -> None:
    whole = answer(call(), call("other"))
    first, second = whole.parts
    assert whole.stop is Stop.TOOLS
    assert (first.arguments, first.name, second.name) == ('{"city":"Rome"}', "weather", "other")
    assert first.id != second.id
    streamed = [
        event.part for event in read(chunk(call()), chunk(call("other"), reason="STOP")) if isinstance(event, PartBegan)
    ]
    assert [part.id for part in streamed if isinstance(part, ToolUse)] == [first.id, second.id]  # fmt: skip


def test_an_id_that_gemini_gives_stays() -> None:
    assert answer(call(id="own")).parts[0].id == "own"


def test_a_call_keeps_its_signature() -> None:
    assert answer({**call(), "thoughtSignature": "s"}).parts[0].signature == "s"


def test_arguments_in_pieces_are_told_whole() -> None:
    piece = {"jsonPath": "$.city", "stringValue": "Ro", "willContinue": True}
    rest = {"jsonPath": "$.city", "stringValue": "me"}
    events = read(
        chunk({"functionCall": {"name": "weather", "willContinue": True}, "thoughtSignature": "s"}),
        chunk({"functionCall": {"partialArgs": [piece], "willContinue": True}}),
        chunk({"functionCall": {"partialArgs": [rest], "willContinue": True}}),
        chunk({"functionCall": {}}, reason="STOP"),
    )
    assert [event.text for event in events if isinstance(event, More)] == ['{"city":"Rome"}']
    assert isinstance(events[-1], Ended)
    assert events[-1].stop is Stop.TOOLS


def test_a_call_that_never_became_whole_is_no_success() -> None:
    events = read(chunk({"functionCall": {"name": "weather", "willContinue": True}}), chunk(reason="STOP"))
    assert isinstance(events[-1], Problem)


def test_a_blocked_prompt_is_a_refusal() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."}, "usageMetadata": USAGE}
    assert read(blocked)[1:4] == [PartBegan(Refusal("")), More("No."), PartEnded()]
    whole = read_answer(json.dumps(blocked).encode())
    assert (whole.stop, whole.parts) == (Stop.REFUSAL, (Refusal("No."),))


@pytest.mark.parametrize("reason", ["SAFETY", "PROHIBITED_CONTENT", "RECITATION"])
def test_a_block_in_the_midst_keeps_what_was_said(reason: str) -> None:
    whole = answer({"text": "So"}, reason=reason)
    assert (whole.stop, whole.parts) == (Stop.REFUSAL, (Text("So"),))


def test_the_length_is_a_stop_even_after_a_call() -> None:
    assert answer(call(), reason="MAX_TOKENS").stop is Stop.LENGTH


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "OTHER", "SOMETHING_NEW"])
def test_a_reply_that_went_wrong_is_a_problem(reason: str) -> None:
    assert read(chunk({"text": "a"}, reason=reason, finishMessage="Bad call."))[-1] == Problem(
        "api_error", "Bad call.", reason
    )
    with pytest.raises(ValueError, match=reason):
        answer(reason=reason)


def test_an_error_in_the_midst_ends_the_stream() -> None:
    error = {"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}}
    events = read(chunk({"text": "a"}), error, chunk(reason="STOP"))
    assert events[-1] == Problem("overloaded_error", "Overloaded.", "UNAVAILABLE")


def test_a_stream_without_its_end_broke_off() -> None:
    assert read() == [BROKEN]
    assert read(chunk({"text": "a"}))[-1] == BROKEN


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"error":{"message":"No."}}', b'{"candidates":[{}]}'])
def test_what_is_no_reply_is_said(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|broke off|No\."):
        read_answer(body)


def test_the_array_of_a_stream_is_read_at_its_end() -> None:
    reader = GeminiEventReader()
    body = json.dumps([chunk({"text": "a"}), chunk(reason="STOP")]).encode()
    assert [event for at in range(len(body)) for event in reader.feed(body[at : at + 1])] == []
    assert list(reader.finish()) == [BEGAN, PartBegan(Text("")), More("a"), PartEnded(), END]
    cut = GeminiEventReader()
    assert cut.feed(body[:-1]) == []
    assert list(cut.finish()) == [BROKEN]


def test_what_gemini_ran_itself_leaves_no_part() -> None:
    ran = {"executableCode": {"code": "1"}}, {"codeExecutionResult": {"output": "1"}}, {"inlineData": {"data": "AA"}}
    assert answer(*ran, {"text": "a"}).parts == (Text("a"),)


def test_counts_that_come_last_are_counted() -> None:
    last = read(chunk({"text": "a"}, reason="STOP"), {"usageMetadata": {"candidatesTokenCount": 9}})[-1]
    assert isinstance(last, Ended)
    assert last.usage.output == 11


def test_signs_of_life_are_told() -> None:
    reader = GeminiEventReader()
    assert reader.feed(b": still here\n\ndata: nonsense\n\n") == [Alive()]

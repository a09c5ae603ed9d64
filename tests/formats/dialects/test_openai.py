from __future__ import annotations

import time
from dataclasses import replace

from hypothesis import given

from formats.dialects.asks import UNTIMED, asks, body
from formats.dialects.replies import answers, assembled, events
from formats.streams import CUTS, pieces
from underspend.formats.dialects.neutral import Answer, Ask
from underspend.formats.dialects.openai import OPENAI, OpenAiDialect
from underspend.formats.translation import Target

TARGET = Target(model="m", cache_control=True)
ASK = Ask(model="m", messages=())


@UNTIMED
@given(asks())
def test_a_request_is_read_as_it_was_written(ask: Ask) -> None:
    written, dropped = OPENAI.write_ask(ask, TARGET)
    assert dropped == ()
    assert replace(OPENAI.read_ask(written), include_usage=True) == ask


@UNTIMED
@given(answers())
def test_a_reply_is_read_as_it_was_written(answer: Answer) -> None:
    assert OPENAI.read_answer(OPENAI.write_answer(answer, ASK)) == answer


@UNTIMED
@given(answers(), CUTS)
def test_a_stream_says_what_the_whole_reply_says(answer: Answer, cuts: list[int]) -> None:
    writer, reader = OPENAI.event_writer(ASK), OPENAI.event_reader()
    streamed = b"".join(map(writer.write, events(answer)))
    read = [event for piece in pieces(streamed, cuts) for event in reader.feed(piece)]
    assert assembled([*read, *reader.finish()]) == answer


def test_an_error_is_read_as_it_was_written() -> None:
    problem = OPENAI.read_problem(429, b'{"error":{"message":"slow","type":"requests","code":"rate_limit_exceeded"}}')
    assert OPENAI.read_problem(429, OPENAI.write_problem(problem)) == problem


def test_a_client_gets_the_usage_of_a_stream_only_where_it_asks() -> None:
    asked = OPENAI.read_ask(body(stream=True, stream_options={"include_usage": True}))
    unasked = OPENAI.read_ask(body(stream=True))
    answer = Answer(id="a", model="m", parts=())
    written = [
        b"".join(map(OPENAI.event_writer(each).write, events(answer))).count(b'prompt_tokens"')
        for each in (asked, unasked)
    ]
    assert written == [1, 0]


def test_replies_carry_the_time_of_the_clock() -> None:
    assert b'"created":7,' in OpenAiDialect(lambda: 7).write_answer(Answer(id="a", model="m", parts=()), ASK)
    assert abs(OPENAI.now() - time.time_ns() // 10**9) <= 1

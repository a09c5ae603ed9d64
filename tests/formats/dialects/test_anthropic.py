from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from formats.dialects.asks import UNTIMED, asks
from formats.dialects.replies import answers, assembled, events
from formats.streams import CUTS, pieces
from underspend.formats.dialects.anthropic import ANTHROPIC
from underspend.formats.dialects.neutral import Answer, Ask, Text, Thinking
from underspend.formats.translation import Target

TARGET = Target(model="m")
THOUGHTS = (Thinking("hm", "signed", dialect="anthropic"), Thinking(redacted="dark", dialect="anthropic"))


@UNTIMED
@given(asks())
def test_a_request_is_read_as_it_was_written(ask: Ask) -> None:
    body, dropped = ANTHROPIC.write_ask(ask, TARGET)
    assert dropped == ()
    assert ANTHROPIC.read_ask(body) == ask


@UNTIMED
@given(answers(), st.booleans())
def test_a_reply_is_read_as_it_was_written(answer: Answer, thoughtful: bool) -> None:
    if thoughtful:
        answer = replace(answer, parts=(*THOUGHTS, *answer.parts))
    assert ANTHROPIC.read_answer(ANTHROPIC.write_answer(answer, Ask(model="m", messages=()))) == answer


@UNTIMED
@given(answers(), st.booleans(), CUTS)
def test_a_stream_says_what_the_whole_reply_says(answer: Answer, thoughtful: bool, cuts: list[int]) -> None:
    if thoughtful:
        answer = replace(answer, parts=(*THOUGHTS, *answer.parts))
    writer, reader = ANTHROPIC.event_writer(Ask(model="m", messages=())), ANTHROPIC.event_reader()
    body = b"".join(map(writer.write, events(answer)))
    read = [event for piece in pieces(body, cuts) for event in reader.feed(piece)]
    assert assembled([*read, *reader.finish()]) == answer


def test_an_error_is_read_as_it_was_written() -> None:
    problem = ANTHROPIC.read_problem(429, b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}')
    assert ANTHROPIC.read_problem(429, ANTHROPIC.write_problem(problem)) == problem


def test_the_dialect_has_the_name_that_translators_use() -> None:
    assert ANTHROPIC.name == "anthropic"
    assert ANTHROPIC.write_ask(Ask(model="m", messages=(), system=(Text("s"),)), TARGET)[0].startswith(b'{"model":"m"')

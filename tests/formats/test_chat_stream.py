import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.formats.chat_stream import WithoutUsage

USAGE = b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":1}}'
KEPT = [
    b'data: {"id":"x","choices":[{"delta":{"content":"a"}}],"usage":null}',
    b": keep alive",
    b'data: {"choices":[{"delta":{"content":"\\"usage\\""}}]}',
    b'data: {"choices":[],"usage":null}',
    b'data: not json but "usage"',
    b"data: [DONE]",
]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
@given(cuts=st.lists(st.integers(0, 400), max_size=8))
def test_only_the_usage_that_nobody_asked_for_is_left_out(end, cuts):
    events = [*KEPT[:-1], USAGE, KEPT[-1]]
    stream = end.join(events) + end
    kept = WithoutUsage()
    places = sorted({0, *(min(cut, len(stream)) for cut in cuts), len(stream)})
    made = b"".join(kept.feed(stream[a:b]) for a, b in itertools.pairwise(places)) + kept.finish()
    assert made == end.join(KEPT) + end


def test_half_an_event_is_given_at_the_end_as_it_came():
    kept = WithoutUsage()
    assert kept.feed(b"data: {") == b""
    assert kept.finish() == b"data: {"
    assert kept.finish() == b""


def test_an_event_without_end_is_not_held_for_ever(monkeypatch):
    monkeypatch.setattr("underspend.formats.chat_stream._LONGEST", 10)
    kept = WithoutUsage()
    assert kept.feed(b"x" * 11) == b"x" * 11
    assert kept.finish() == b""

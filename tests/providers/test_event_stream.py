import contextlib
import itertools
import json

import pytest
from frames import chunk, frame
from hypothesis import given
from hypothesis import strategies as st

from underspend.providers.event_stream import EventStream

EVENTS = [{"type": "message_start", "message": {"id": "é"}}, {"type": "ping"}, {"type": "message_stop"}]
RAW = b"".join(map(chunk, EVENTS))
SSE = b"".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in EVENTS)


@given(st.lists(st.integers(0, len(RAW)), max_size=6))
def test_events_are_the_same_wherever_the_bytes_are_cut(cuts):
    stream = EventStream()
    places = [0, *sorted(cuts), len(RAW)]
    assert b"".join(stream.feed(RAW[a:b]) for a, b in itertools.pairwise(places)) == SSE


@pytest.mark.parametrize(
    ("kind", "error"), [("throttlingException", "rate_limit_error"), ("internalServerException", "api_error")]
)
def test_an_exception_is_an_error_event_in_the_provider_s_words(kind, error):
    said = {":message-type": "exception", ":exception-type": kind}
    made = EventStream().feed(frame(said, b'{"message":"Too many tokens"}'))
    data = json.loads(made.split(b"data: ")[1])
    assert data == {"type": "error", "error": {"type": error, "message": "Too many tokens"}}


@pytest.mark.parametrize("at", [0, 9, 30, len(RAW) - 1])
def test_a_damaged_frame_is_told(at):
    damaged = bytearray(RAW)
    damaged[at] ^= 0xFF
    with pytest.raises(ValueError):
        EventStream().feed(bytes(damaged))


def test_an_event_that_is_no_json_is_told():
    with pytest.raises(ValueError):
        EventStream().feed(frame({":message-type": "event"}, b"nonsense"))


@given(st.binary(max_size=200))
def test_nonsense_is_waited_for_or_told_and_nothing_else(data):
    with contextlib.suppress(ValueError):
        EventStream().feed(data)

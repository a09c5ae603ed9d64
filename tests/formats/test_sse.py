from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.streams import CUTS, pieces
from underspend.formats.sse import SseParser

LINES = st.sampled_from(
    ["data: {}", "data:x", "data:  two", "data", "data:", ": comment", "event: ping", "id: 1", "retry: 5", "", "", "é"]
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from(["\n", "\r", "\r\n"])), max_size=30).map(
    lambda lines: "".join(line + end for line, end in lines).encode()
)


def parsed(chunks: list[bytes]) -> list[bytes]:
    parser = SseParser()
    events = [data for chunk in chunks for data in parser.feed(chunk)]
    return events + parser.finish()


def by_the_standard(body: bytes) -> list[bytes]:
    """WHATWG HTML §9.2.6, line by line; what is left at the end counts as an event too."""
    events: list[bytes] = []
    data: list[bytes] = []
    for line in [*re.split(rb"\r\n|\r|\n", body), b""]:
        name, _, value = line.partition(b":")
        if not line and data:
            events.append(b"\n".join(data))
            data = []
        elif name == b"data":
            data.append(value.removeprefix(b" "))
    return events


@given(STREAMS)
def test_reads_what_the_standard_says(body: bytes) -> None:
    assert parsed([body]) == by_the_standard(body)


@given(STREAMS, CUTS)
def test_any_cut_gives_the_same_events(body: bytes, cuts: list[int]) -> None:
    assert parsed(pieces(body, cuts)) == parsed([body])


@given(st.binary(max_size=200), CUTS)
def test_any_bytes_in_any_cut_give_the_same_events(body: bytes, cuts: list[int]) -> None:
    assert parsed(pieces(body, cuts)) == parsed([body])


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b": hello\ndata: a\n: there\n\n", [b"a"]),
        (b"data: one\ndata: two\n\n", [b"one\ntwo"]),
        (b"event: ping\n\n", []),
        (b"data: cut in the mid", [b"cut in the mid"]),
        (b"data: cut after its line\n", [b"cut after its line"]),
        (b"", []),
    ],
)
def test_known_streams(body: bytes, events: list[bytes]) -> None:
    assert parsed([body]) == events


def test_an_event_is_given_with_the_chunk_that_completes_it() -> None:
    parser = SseParser()
    assert parser.feed(b"data: a\n") == []
    assert parser.feed(b"\ndata: b") == [b"a"]
    assert parser.feed(b"\r") == []
    assert parser.feed(b"\n\r\n") == [b"b"]

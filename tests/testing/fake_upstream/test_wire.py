from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testing.fake_upstream.exchange import Ask, fetch, message
from underspend.testing.fake_upstream import Delivery, FakeUpstream, Fault, Queue, Recorded, Reply, run_in_thread

TEXT = "word " * 60


def whole_stream(up: FakeUpstream) -> bytes:
    up.script = Queue([], default=Reply(content=TEXT))
    return fetch(up, body=message(stream=True)).body


def test_a_json_answer_has_a_length_and_a_stream_has_none(say: Ask) -> None:
    assert say().headers["content-length"]
    streamed = say(stream=True)
    assert streamed.headers["transfer-encoding"] == "chunked"
    assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_a_whole_answer_is_written_down_as_sent_in_full(up: FakeUpstream, say: Ask) -> None:
    body = say(stream=True).body
    row = up.requests[-1]
    assert (row.status, row.sent_in_full, row.bytes_sent) == (200, True, len(body))


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("event", [0, 1, 3, 5])
def test_a_stream_is_cut_after_an_event(up: FakeUpstream, event: int, how: str) -> None:
    whole = whole_stream(up)
    up.script = Queue([Reply(content=TEXT, delivery=Delivery(cut_after_event=event, cut_how=how))])  # type: ignore[arg-type]
    try:
        got = fetch(up, body=message(stream=True)).body
    except (ConnectionError, http.client.BadStatusLine):
        got = None
    row = up.requests[-1]
    cut = b"".join(part + b"\n\n" for part in whole.split(b"\n\n")[:event])
    assert row.bytes_sent == len(cut)
    assert not row.sent_in_full
    if how == "close" and got is not None:
        assert [e["type"] for e in events(got)] == [e["type"] for e in events(cut)]


def events(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[5:]) for line in body.splitlines() if line.startswith(b"data:")]


@pytest.mark.parametrize("at", [0, 1, 100, 777])
def test_a_stream_is_cut_at_a_byte(up: FakeUpstream, at: int) -> None:
    assert len(whole_stream(up)) > 777
    got = fetch(up, body=message(stream=True), headers={"x-fake-cut-at-byte": str(at)})
    assert len(got.body) == up.requests[-1].bytes_sent == at
    assert not up.requests[-1].sent_in_full


def test_a_json_answer_is_cut_at_a_byte_and_still_billed_in_full(up: FakeUpstream, say: Ask) -> None:
    whole = say()
    cut = say(headers={"x-fake-cut-at-byte": "50"})
    assert len(cut.body) == 50
    assert up.requests[0].bill == up.requests[1].bill
    assert [row.sent_in_full for row in up.requests] == [True, False]
    assert whole.json["usage"]["output_tokens"] > 0


def test_a_cut_stream_is_billed_for_what_was_sent() -> None:
    script = Queue([], default=Reply(content=TEXT))
    bills = {}
    for policy in ("streamed", "whole"):
        with run_in_thread(script, bill_aborts=policy) as up:
            fetch(up, body=message(stream=True), headers={"x-fake-cut-after-event": "4"})
            fetch(up, body=message(stream=True))
            bills[policy] = [row.bill.picodollars for row in up.requests]
    assert 0 < bills["streamed"][0] < bills["streamed"][1]
    assert bills["whole"][0] == bills["whole"][1] == bills["streamed"][1]


def test_an_error_event_ends_the_stream(up: FakeUpstream, say: Ask) -> None:
    last = say(stream=True, headers={"x-fake-error-after-event": "2", "x-fake-error-type": "api_error"}).events[-1]
    assert last["error"]["type"] == "api_error"
    assert not up.requests[-1].sent_in_full


def test_a_missing_message_stop_is_not_sent_in_full(up: FakeUpstream, say: Ask) -> None:
    got = say(stream=True, headers={"x-fake-drop-message-stop": "1"})
    assert got.events[-1]["type"] == "message_delta"
    assert not up.requests[-1].sent_in_full


@pytest.mark.parametrize("stream", [True, False])
def test_gzip_is_used_when_asked_for_and_accepted(up: FakeUpstream, stream: bool) -> None:
    up.script = Queue([], default=Reply(content=TEXT, delivery=Delivery(gzip=True)))
    body = message(stream=stream)
    plain = fetch(up, body=body)
    packed = fetch(up, body=body, headers={"accept-encoding": "gzip, br"})
    assert plain.headers["content-encoding"] is None
    assert packed.headers["content-encoding"] == "gzip"
    unpacked = gzip.decompress(packed.body)
    assert up.requests[-1].bytes_sent == len(packed.body)
    assert len(unpacked) == len(plain.body)


def test_chunk_bytes_cuts_the_writes_without_changing_the_body(up: FakeUpstream, say: Ask) -> None:
    whole = whole_stream(up)
    got = say(stream=True, headers={"x-fake-chunk-bytes": "1"})
    assert len(got.body) == len(whole)
    assert up.requests[-1].sent_in_full


@pytest.mark.parametrize("name", ["ttfb-ms", "stall-ms", "event-gap-ms"])
def test_waiting(say: Ask, name: str) -> None:
    started = time.monotonic()
    say(stream=True, headers={f"x-fake-{name}": "60"})
    assert time.monotonic() - started >= 0.06


def test_a_fault_waits_too(up: FakeUpstream, say: Ask) -> None:
    up.script = Queue([Fault(status=500, delivery=Delivery(ttfb_ms=50))])
    started = time.monotonic()
    assert say().status == 500
    assert time.monotonic() - started >= 0.05


def test_parallel_identical_prompts_each_pay_the_write(up: FakeUpstream) -> None:
    body = message("x" * 4000, cache_control={"type": "ephemeral"})
    slow = {"x-fake-ttfb-ms": "300"}
    together = [threading.Thread(target=fetch, args=(up,), kwargs={"body": body, "headers": slow}) for _ in range(4)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert fetch(up, body=body).json["usage"]["cache_read_input_tokens"] > 1000
    usages = [row.usage for row in up.requests[:4]]
    assert all(usage is not None and usage["cache_creation_input_tokens"] > 1000 for usage in usages)


def test_a_client_that_leaves_is_written_down(up: FakeUpstream) -> None:
    parts = urlsplit(up.url)
    raw = json.dumps(message(stream=True)).encode()
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\nx-fake-event-gap-ms: 40\r\n"
        f"content-length: {len(raw)}\r\n\r\n"
    )
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as client:
        client.sendall(head.encode() + raw)
        client.recv(200)
    deadline = time.monotonic() + 5
    while up.requests[-1].usage is None and time.monotonic() < deadline:
        time.sleep(0.01)
    row = up.requests[-1]
    assert (row.status, row.sent_in_full) == (200, False)
    assert row.usage is not None
    assert row.bill.picodollars > 0


def test_recorded_answers_are_replayed_byte_for_byte(up: FakeUpstream, say: Ask) -> None:
    body = b": comment\r\n\r\nevent: ping\ndata: {}\n\n\xff\x00 tail"
    headers = (("content-type", "text/event-stream"), ("x-odd", "1"), ("x-odd", "2"), ("content-length", "9"))
    up.script = Queue([Recorded(status=207, headers=headers, body=body, chunk_sizes=(1, 2, 3))])
    got = say(stream=True)
    assert (got.status, got.body, got.headers.get_all("x-odd")) == (207, body, ["1", "2"])


@pytest.fixture(scope="module")
def shared() -> Iterator[FakeUpstream]:
    with run_in_thread(Queue([], default=Reply(content=TEXT))) as running:
        yield running


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 3000), gzipped=st.booleans(), chunk=st.integers(1, 500))
def test_wherever_a_stream_is_cut_the_ledger_knows_what_was_sent(
    shared: FakeUpstream, at: int, gzipped: bool, chunk: int
) -> None:
    headers = {"x-fake-cut-at-byte": str(at), "x-fake-chunk-bytes": str(chunk)}
    if gzipped:
        headers |= {"x-fake-gzip": "true", "accept-encoding": "gzip"}
    got = fetch(shared, body=message(stream=True), headers=headers)
    row = shared.requests[-1]
    assert row.bytes_sent == len(got.body)
    assert row.sent_in_full is (len(got.body) < at)
    assert row.usage is not None
    assert row.usage["output_tokens"] <= 75
    assert row.bill.picodollars >= row.usage["input_tokens"] * 4 * 10**6


def test_a_long_scripted_reply_fits_in_a_header(say: Ask) -> None:
    scripted = json.dumps({"content": "a" * 30_000, "output_tokens": 3})
    assert say(headers={"x-fake-reply": scripted}).json["usage"]["output_tokens"] == 3

"""Invariant 1: with no edit, what the client and upstream send arrives as it was sent."""

import http.client
import json
import time
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_upstream import CUT, reply

BODY = {"model": "claude-opus-5-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
END_TO_END = {"x-api-key": "sk-ant-api03-x", "anthropic-version": "2026-10-21", "anthropic-beta": "a-1,b-2"}
HOP_BY_HOP = {b"host", b"connection", b"keep-alive", b"transfer-encoding"}

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
tokens = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12).map(lambda name: f"x-t-{name}")
values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
paths = st.lists(st.text("abcXYZ019-._~%2F!$&'()*+,;=:@", max_size=6), max_size=4).map(
    lambda parts: "/v9/" + "/".join(part.replace("%", "%25") for part in parts)
)
queries = st.text("abcXYZ019-._~!$'()*+,;:@/?=&", max_size=20)


def default_reply(received):
    yield reply(b'{"ok":true}', headers=(b"content-type: application/json",))


@quick
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    paths,
    queries,
    st.dictionaries(tokens, values, max_size=5),
    st.binary(max_size=300),
)
def test_any_request_reaches_upstream_as_it_was_sent(gateway, upstream, method, path, query, headers, body):
    upstream.script = default_reply
    upstream.received.clear()
    target = f"{path}?{query}" if query else path
    sent = {**END_TO_END, **headers, "user-agent": "test/1"}
    with closing(gateway.connection()) as connection:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in sent.items():
            connection.putheader(name, value)
        if method != "GET":
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body if method != "GET" else None)
        assert connection.getresponse().read() == b'{"ok":true}'
    got = upstream.received[-1]
    assert got.request_line == f"{method} {target} HTTP/1.1".encode()
    assert got.body == (body if method != "GET" else b"")
    arrived = {name.lower().decode(): value.decode() for name, value in got.headers if name.lower() not in HOP_BY_HOP}
    arrived.pop("content-length", None)
    assert arrived == sent


@quick
@given(st.binary(max_size=200).map(lambda tail: json.dumps(BODY).encode() + b" " * 3 + tail))
def test_a_message_body_reaches_upstream_byte_for_byte_even_when_it_is_no_json(gateway, upstream, body):
    upstream.script = default_reply
    gateway.post("/v1/messages?beta=true", body, END_TO_END)
    assert upstream.received[-1].body == body
    assert upstream.received[-1].request_line == b"POST /v1/messages?beta=true HTTP/1.1"


def test_the_project_prefix_ends_at_the_gateway(gateway, upstream):
    upstream.script = default_reply
    gateway.post("/p/my%20project/v1/messages?beta=true", BODY, END_TO_END)
    assert upstream.received[-1].request_line == b"POST /v1/messages?beta=true HTTP/1.1"
    assert gateway.rows("project = 'my project'", wait_for=1)[-1]["endpoint"] == "messages"


def test_our_own_headers_end_at_the_gateway(gateway, upstream):
    upstream.script = default_reply
    gateway.post("/v1/messages", BODY, {"x-underspend-project": "p", "x-underspend-key": "k", "te": "trailers"})
    assert not [name for name, _ in upstream.received[-1].headers if name.lower().startswith(b"x-underspend")]
    assert upstream.received[-1].header(b"te") is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (b"400 Bad Request", b'{"type":"error","error":{"type":"invalid_request_error","message":"thinking blocks"}}'),
        (b"529 Overloaded", b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'),
        (b"429 Too Many Requests", b"not even json \xff\xfe"),
        (b"413 Payload Too Large", b""),
        (b"500 Internal Server Error", b"<html>"),
    ],
)
def test_errors_pass_with_status_headers_and_body(gateway, upstream, status, body):
    extra = (b"retry-after: 7", b"x-should-retry: false", b"request-id: req_1", b"Set-Cookie: a=1", b"Set-Cookie: b=2")
    upstream.script = lambda received: iter([reply(body, status=status, headers=extra)])
    with closing(gateway.connection()) as connection:
        connection.request("POST", "/v1/messages", json.dumps(BODY), END_TO_END)
        response = connection.getresponse()
        assert response.status == int(status[:3])
        assert response.read() == body
        assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]
        assert response.headers["retry-after"] == "7"
        assert response.headers["request-id"] == "req_1"
        assert "server" not in response.headers
        assert "date" not in response.headers


STREAM = (
    b": a comment\r\n\r\n"
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","model":"claude-opus-5-5",'
    b'"content":[],"usage":{"input_tokens":5,"output_tokens":1}}}\n\n'
    b'event: ping\ndata: {"type": "ping"}\n\nid: 4\nretry: 10\n\n'
    b'event: message\ndata: {"type":"future_event","usage":{"input_tokens":99,"output_tokens":99}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
    b'"safeguard_results":[{"x":1}]},"usage":{"output_tokens":7}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


@quick
@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_a_stream_passes_byte_for_byte_in_any_chunks(gateway, upstream, sizes):
    def script(received):
        yield b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        at = 0
        for size in [*sizes, len(STREAM)]:
            piece = STREAM[at : at + size]
            at += size
            if piece:
                yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
        yield b"0\r\n\r\n"

    upstream.script = script
    status, _, body = gateway.post("/v1/messages", {**BODY, "stream": True}, END_TO_END)
    assert (status, body) == (200, STREAM)


def test_a_stream_is_not_buffered(gateway, upstream):
    first, second = b"data: 1\n\n", b"data: 2\n\n"
    seen = []

    def script(received):
        yield b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        yield b"9\r\n" + first + b"\r\n"
        deadline = time.monotonic() + 5
        while not seen and time.monotonic() < deadline:
            time.sleep(0.005)
        yield b"9\r\n" + second + b"\r\n0\r\n\r\n"

    upstream.script = script
    with closing(gateway.connection()) as connection:
        connection.request("POST", "/v1/messages", json.dumps(BODY))
        response = connection.getresponse()
        seen.append(response.read1(100))
        assert seen[0] == first
        assert response.read() == second


def test_a_reply_that_breaks_off_breaks_off_for_the_client_too(gateway, upstream):
    def script(received):
        yield b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        yield b"9\r\ndata: 1\n\n\r\n"
        yield CUT

    upstream.script = script
    with closing(gateway.connection()) as connection:
        connection.request("POST", "/v1/messages", json.dumps(BODY))
        with pytest.raises(http.client.IncompleteRead):
            connection.getresponse().read()


def test_head_and_options_pass(gateway, upstream):
    upstream.script = lambda received: iter([b"HTTP/1.1 204 No Content\r\nx-up: 1\r\n\r\n"])
    with closing(gateway.connection()) as connection:
        connection.request("HEAD", "/")
        response = connection.getresponse()
        assert (response.status, response.headers["x-up"]) == (204, "1")
        response.read()
    assert upstream.received[-1].request_line == b"HEAD / HTTP/1.1"


def test_connections_to_upstream_are_kept_and_used_again(gateway, upstream):
    upstream.script = default_reply
    gateway.post("/v1/messages", BODY)
    before = upstream.connections
    for _ in range(20):
        gateway.post("/v1/messages", BODY)
    assert upstream.connections - before <= 1

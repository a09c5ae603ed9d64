"""Invariant 4: whatever happens, the ledger holds what upstream reported, and says when it had to estimate."""

import json
import os
import socket
import time
from contextlib import closing

import pytest
from raw_upstream import CUT
from replies import BODY, STREAM_BODY, STREAM_END, STREAM_HEAD, chunk, events, http_json, message

PRICE_IN, PRICE_OUT = 4_000_000, 20_000_000


def last_row(gateway, session, seconds=10):
    return gateway.rows(f"session = '{session}'", wait_for=1, seconds=seconds)[-1]


def session_header(name):
    return {"x-claude-code-session-id": name}


def test_a_whole_reply_is_billed(gateway, upstream):
    upstream.script = lambda received: iter([http_json(message())])
    gateway.post("/v1/messages", BODY, session_header("whole"))
    row = last_row(gateway, "whole")
    assert (row["outcome"], row["evidence"], row["status"]) == ("ok", "billed", 200)
    assert (row["input_tokens"], row["output_tokens"]) == (100, 10)
    assert row["cost_pico"] == 100 * PRICE_IN + 10 * PRICE_OUT == row["without_us_pico"]
    assert (row["request_id"], row["message_id"]) == ("req_1", "msg_1")


@pytest.mark.parametrize("count", range(len(events()) + 1))
def test_upstream_cut_after_any_event(gateway, upstream, count):
    """Before `message_start` the prompt is estimated; after it, known; from `message_delta` on, all is."""

    def script(received):
        yield STREAM_HEAD
        for event in events()[:count]:
            yield chunk(event)
        yield CUT

    upstream.script = script
    session = f"cut-{count}"
    with pytest.raises(Exception):  # noqa: B017  # the client sees a broken reply, in one of several ways
        gateway.post("/v1/messages", STREAM_BODY, session_header(session))
    row = last_row(gateway, session)
    assert row["outcome"] == "cut"
    whole = count >= len(events()) - 1
    assert row["evidence"] == ("billed" if whole else "estimated")
    if count >= 1:
        assert row["input_tokens"] == 100
        assert row["output_tokens"] >= 1
    else:
        assert row["input_tokens"] == row["prompt_estimate"] > 0
    if whole:
        assert row["output_tokens"] == 40
    deltas = max(0, min(count - 2, 8))
    assert row["output_tokens"] >= deltas * 20 // 4 or whole


@pytest.mark.parametrize("count", [0, 1, 2, 5, 10])
def test_client_gone_after_any_event_aborts_upstream_and_is_billed_as_far_as_seen(gateway, upstream, count):
    upstream.aborted.clear()
    upstream.script = slow_script(count)
    session = f"gone-{count}"
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        body = json.dumps(STREAM_BODY).encode()
        head = f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-claude-code-session-id: {session}\r\n"
        client.sendall(head.encode() + f"content-length: {len(body)}\r\n\r\n".encode() + body)
        got = b""
        while got.count(b"event:") < count:
            got += client.recv(65536)
        if count == 0:
            time.sleep(0.1)
    row = last_row(gateway, session)
    assert (row["outcome"], row["evidence"]) == ("aborted", "estimated")
    assert row["input_tokens"] == (100 if count else row["prompt_estimate"])
    assert upstream.aborted.wait(10), "the gateway kept the call to upstream going"


def slow_script(count):
    def script(received):
        if count == 0:
            time.sleep(0.3)
        yield STREAM_HEAD
        for event in events()[:count]:
            yield chunk(event)
        for _ in range(400):
            time.sleep(0.01)
            yield chunk(b": waiting\n\n")

    return script


def test_a_refused_connection_costs_nothing_and_says_so(start):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = f"http://127.0.0.1:{listener.getsockname()[1]}"
    gateway = start(dead)
    status, headers, body = gateway.post("/v1/messages", BODY)
    assert status == 502
    assert headers["x-should-retry"] == "true"
    assert json.loads(body)["error"]["type"] == "api_error"
    assert "upstream cannot be reached" in json.loads(body)["error"]["message"]
    row = gateway.rows(wait_for=1)[0]
    assert (row["outcome"], row["cost_pico"], row["input_tokens"]) == ("unreachable", 0, 0)


def test_errors_are_kept_and_cost_nothing(gateway, upstream):
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    upstream.script = lambda received: iter([http_json(body, b"529 Overloaded")])
    gateway.post("/v1/messages", BODY, session_header("error"))
    row = last_row(gateway, "error")
    assert (row["outcome"], row["status"], row["cost_pico"]) == ("error", 529, 0)


def test_a_stop_lets_calls_in_flight_finish(start, upstream):
    gateway = start(upstream.url)

    def script(received):
        yield STREAM_HEAD
        for event in events():
            time.sleep(0.05)
            yield chunk(event)
        yield STREAM_END

    upstream.script = script
    with closing(gateway.connection()) as connection:
        connection.request("POST", "/v1/messages", json.dumps(STREAM_BODY), session_header("drain"))
        response = connection.getresponse()
        gateway.process.terminate()
        assert b"message_stop" in response.read()
    assert gateway.process.wait(20) == 0
    row = gateway.rows("session = 'drain'", wait_for=1)[0]
    assert (row["outcome"], row["evidence"], row["output_tokens"]) == ("ok", "billed", 40)


def test_no_text_and_no_key_is_stored_unless_asked_for(start, upstream):
    secret, key = "the-launch-code-is-7421", "sk-ant-api03-very-secret"
    upstream.script = lambda received: iter([http_json(message().replace(b'"ok"', b'"the-reply-is-here"'))])
    body = {**BODY, "system": secret, "messages": [{"role": "user", "content": secret}]}
    gateway = start(upstream.url)
    gateway.post("/v1/messages", body, {"x-api-key": key})
    gateway.rows(wait_for=1)
    gateway.stop()
    kept = b"".join(path.read_bytes() for path in gateway.home.rglob("*") if path.is_file())
    for text in (secret, key, "the-reply-is-here"):
        assert text.encode() not in kept


def test_text_is_stored_when_asked_for(start, upstream, tmp_path):
    import sqlite3
    import zlib

    upstream.script = lambda received: iter([http_json(message())])
    gateway = start(upstream.url, config="[privacy]\nstore_content = true\n")
    gateway.post("/v1/messages", BODY, {"x-api-key": "sk-ant-api03-very-secret"})
    gateway.rows(wait_for=1)
    gateway.stop()
    with closing(sqlite3.connect(gateway.home / "ledger.sqlite3")) as connection:
        request, answer = connection.execute("SELECT request, reply FROM contents").fetchone()
    assert json.loads(zlib.decompress(request)) == BODY
    assert zlib.decompress(answer) == message()
    assert b"very-secret" not in b"".join(p.read_bytes() for p in gateway.home.rglob("*") if p.is_file())
    assert os.stat(gateway.home / "secret").st_mode & 0o777 == 0o600

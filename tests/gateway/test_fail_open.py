"""Invariant 3: break every part of ours in turn; the call succeeds and `status` shows the fault."""

import json
import sqlite3
import time
from contextlib import closing

import pytest
from replies import BODY, STREAM_BODY, STREAM_END, STREAM_HEAD, chunk, events, http_json, message


def faults(gateway):
    seen = gateway.status()["faults"]
    return {
        fault["component"]: " | ".join(f["message"] for f in seen if f["component"] == fault["component"])
        for fault in seen
    }


def until(holds):
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)


def test_a_locked_ledger(start, upstream):
    upstream.script = lambda received: iter([http_json(message())])
    gateway = start(upstream.url)
    with closing(sqlite3.connect(gateway.home / "ledger.sqlite3", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        status, _, body = gateway.post("/v1/messages", BODY, {"x-claude-code-session-id": "locked"})
        assert (status, body) == (200, message())
        until(lambda: gateway.status()["ledger"]["state"] == "spooling")
        assert "locked" in faults(gateway)["ledger"]
        holder.execute("ROLLBACK")
    time.sleep(1.1)
    gateway.post("/v1/messages", BODY)
    rows = gateway.rows(wait_for=2)
    assert [row["cost_pico"] for row in rows] == [rows[0]["cost_pico"]] * 2
    until(lambda: gateway.status()["ledger"] == {"state": "ok", "waiting": 0})


def test_a_full_disk(start, upstream, tmp_path):
    """The database cannot be written and neither can journal and spool: records wait in memory."""
    upstream.script = lambda received: iter([http_json(message())])
    home = tmp_path / "home"
    home.mkdir()
    for name in ("journal.jsonl", "journal.jsonl.1", "spool.jsonl"):
        (home / name).symlink_to("/dev/full")  # every write says: no space left
    gateway = start(upstream.url, home=home)
    with closing(sqlite3.connect(home / "ledger.sqlite3", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert gateway.post("/v1/messages", BODY)[0] == 200
        until(lambda: gateway.status()["ledger"]["state"] == "memory")
        holder.execute("ROLLBACK")
    time.sleep(1.1)
    gateway.post("/v1/messages", BODY)
    assert len(gateway.rows(wait_for=2)) == 2


def test_an_unknown_model_is_unpriced_and_goes_through(gateway, upstream):
    upstream.script = lambda received: iter([http_json(message(model="claude-opus-99"))])
    headers = {"x-claude-code-session-id": "unpriced"}
    assert gateway.post("/v1/messages", {**BODY, "model": "claude-opus-99"}, headers)[0] == 200
    row = gateway.rows("session = 'unpriced'", wait_for=1)[0]
    assert (row["unpriced"], row["cost_pico"], row["input_tokens"]) == ("claude-opus-99", 0, 100)


def test_a_reply_in_a_coding_that_is_not_known(gateway, upstream):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: snappy\r\ncontent-length: 4\r\n\r\n"
    upstream.script = lambda received: iter([head + b"\x00\x01\x02\x03"])
    assert gateway.post("/v1/messages", BODY)[2] == b"\x00\x01\x02\x03"
    assert "snappy" in faults(gateway)["meter"]


def test_a_reply_whose_coding_is_broken(gateway, upstream):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n"
    upstream.script = lambda received: iter([head + b"nope"])
    assert gateway.post("/v1/messages", BODY)[2] == b"nope"
    assert "error" in faults(gateway)["meter"]


def test_a_stream_of_nonsense(gateway, upstream):
    upstream.script = lambda received: iter([STREAM_HEAD, chunk(b"data: {broken\n\ndata: 5\n\n"), STREAM_END])
    assert gateway.post("/v1/messages", STREAM_BODY)[2] == b"data: {broken\n\ndata: 5\n\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"model": 5, "messages": {}, "tools": 3}',
        b'{"messages": [[], 1, null]}',
        b"{",
    ],
)
def test_a_request_of_nonsense(gateway, upstream, body):
    upstream.script = lambda received: iter([http_json(b'{"type":"error"}', b"400 Bad Request")])
    assert gateway.post("/v1/messages", body)[0] == 400
    assert upstream.received[-1].body == body


def test_a_rule_whose_edit_cannot_be_spliced_sends_the_clients_bytes(start, upstream):
    rules = '[strategies.model_rules]\nstate = "on"\nrules = [{model = "a", to = "b"}]\n'
    upstream.script = lambda received: iter([http_json(message())])
    gateway = start(upstream.url, config=rules)
    twice = b'{"model": "a", "model": "a", "messages": []}'
    gateway.post("/v1/messages", twice)
    assert upstream.received[-1].body == twice
    assert "twice" in faults(gateway)["edit"]
    assert gateway.rows(wait_for=1)[0]["model_sent"] == "a"


def test_a_rule_changes_the_model_and_nothing_else(start, upstream):
    rules = '[strategies.model_rules]\nstate = "on"\nrules = [{model = "claude-opus-5-5", to = "claude-sonnet-5-5"}]\n'
    upstream.script = lambda received: iter([http_json(message(model="claude-sonnet-5-5"))])
    gateway = start(upstream.url, config=rules)
    body = b'{ "metadata":{"model":"x"}, "model" : "claude-opus-5-5","max_tokens":5, "messages":[],"new_key":[1.0] }'
    gateway.post("/v1/messages", body)
    assert upstream.received[-1].body == body.replace(b"claude-opus-5-5", b"claude-sonnet-5-5")
    row = gateway.rows(wait_for=1)[0]
    assert (row["model_asked"], row["model_sent"]) == ("claude-opus-5-5", "claude-sonnet-5-5")
    assert row["cost_pico"] * 2 == row["without_us_pico"]


RULE = '[strategies.model_rules]\nstate = "on"\nrules = [{model = "claude-opus-5-5", to = "claude-sonnet-5-5"}]\n'
OAUTH = {"authorization": "Bearer sk-ant-oat01-x", "anthropic-beta": "oauth-2025-04-20,claude-code-20250219"}


@pytest.mark.parametrize(("act", "sent"), [("false", "claude-opus-5-5"), ("true", "claude-sonnet-5-5")])
def test_a_subscriptions_calls_are_observed_only_unless_asked_for(start, upstream, act, sent):
    """Invariant 9."""
    upstream.script = lambda received: iter([http_json(message())])
    gateway = start(upstream.url, config=f"{RULE}[subscription]\nact = {act}\n")
    gateway.post("/v1/messages", BODY, OAUTH)
    assert json.loads(upstream.received[-1].body)["model"] == sent
    row = gateway.rows(wait_for=1)[0]
    assert (row["billing"], row["model_sent"]) == ("oauth", sent)
    with closing(sqlite3.connect(gateway.home / "ledger.sqlite3")) as connection:
        applied = connection.execute("SELECT applied FROM decisions").fetchone()[0]
    assert bool(applied) == (act == "true")


def test_a_budget_that_blocks_refuses_in_the_providers_shape(start, upstream):
    config = '[budgets.day]\nusd = "0.001"\naction = "block"\n'
    upstream.script = lambda received: iter([http_json(message())])
    gateway = start(upstream.url, config=config)
    upstream.received.clear()
    status, headers, body = gateway.post("/v1/messages", BODY)
    assert (status, headers["x-should-retry"]) == (402, "false")
    assert json.loads(body)["type"] == "error"
    assert "The budget 'day' of $0.00100 per day has no room" in json.loads(body)["error"]["message"]
    assert not upstream.received
    row = gateway.rows(wait_for=1)[0]
    assert (row["outcome"], row["cost_pico"]) == ("refused", 0)


def test_streams_are_metered_through_gzip(gateway, upstream):
    import gzip

    packed = gzip.compress(b"".join(events()))
    head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n")
    pieces = [chunk(packed[at : at + 17]) for at in range(0, len(packed), 17)]
    upstream.script = lambda received: iter([head, *pieces, STREAM_END])
    assert gateway.post("/v1/messages", STREAM_BODY, {"x-claude-code-session-id": "gz"})[2] == packed
    row = gateway.rows("session = 'gz'", wait_for=1)[0]
    assert (row["input_tokens"], row["output_tokens"], row["evidence"]) == (100, 40, "billed")

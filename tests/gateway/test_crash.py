"""Invariant 4, the hard part: kill -9 at any moment under load, again and again, and the books still hold."""

import json
import random
import threading
import time
from collections import Counter

import pytest
import running
from raw_upstream import RawUpstream
from replies import STREAM_BODY, STREAM_END, STREAM_HEAD, chunk, events

KILLS = 50
CLIENTS = 6


class Load:
    """Clients that call without pause, each call in a session of its own, and note which replies came whole."""

    def __init__(self, gateway, prefix):
        self.gateway, self.prefix = gateway, prefix
        self.whole = set()
        self.halt = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(n,), daemon=True) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def work(self, worker):
        count = 0
        while not self.halt.is_set():
            session = f"{self.prefix}-{worker}-{count}"
            count += 1
            try:
                status, _, body = self.gateway.post("/v1/messages", STREAM_BODY, {"x-claude-code-session-id": session})
            except Exception:  # noqa: BLE001  # killed under it: that is the point
                time.sleep(0.005)
                continue
            if status == 200 and b"message_stop" in body:
                self.whole.add(session)

    def stop(self):
        self.halt.set()
        for thread in self.threads:
            thread.join(30)


def slow_stream(received):
    yield STREAM_HEAD
    for event in events(message_id=f"msg_{random.random()}"):
        time.sleep(random.random() * 0.004)
        yield chunk(event)
    yield STREAM_END


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_at_random_points_loses_and_doubles_nothing(tmp_path, seed):
    chance = random.Random(seed)
    home = tmp_path / "home"
    whole = set()
    with RawUpstream(script=slow_stream) as upstream:
        for kill in range(KILLS):
            gateway = running.start(home, upstream.url)
            load = Load(gateway, f"k{kill}")
            time.sleep(chance.random() * 0.25)
            gateway.kill()
            load.stop()
            whole |= load.whole
            gateway.process.stdout.close()
        last = running.start(home, upstream.url)
        last.stop()
        last.process.stdout.close()
        reached = [received.header(b"x-claude-code-session-id").decode() for received in upstream.received]
    assert_books_hold(running.ledger_rows(home), reached, whole)


def assert_books_hold(rows, reached, whole):
    by_session = Counter(row["session"] for row in rows)
    assert not [session for session in reached if by_session[session] == 0], "a call that reached upstream was lost"
    assert not [session for session, count in by_session.items() if count > 1], "a call was written twice"
    assert len(set(reached)) == len(reached)
    assert {row["state"] for row in rows} == {"settled"}
    assert len(whole) > KILLS, "the load was too light to prove anything"
    for row in rows:
        billed = row["evidence"] == "billed"
        if billed:
            assert (row["outcome"], row["input_tokens"], row["output_tokens"]) == ("ok", 100, 40)
        else:
            assert (row["outcome"], row["evidence"]) == ("interrupted", "estimated")
            assert row["input_tokens"] == row["prompt_estimate"] > 0
    assert sum(row["evidence"] == "billed" for row in rows) >= len(whole) * 0.9


def test_half_a_line_in_the_spool_costs_that_line_only(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    call = {"id": "abc", "started_at": 1, "state": "open", "endpoint": "messages", "provider": "anthropic"}
    whole = json.dumps({"kind": "call", "call": {**call, "upstream": "u", "model_sent": "claude-opus-5-5"}})
    (home / "spool.jsonl").write_text(whole + "\n" + whole[: len(whole) // 2])
    with RawUpstream() as upstream:
        gateway = running.start(home, upstream.url)
        gateway.stop()
        gateway.process.stdout.close()
    rows = running.ledger_rows(home)
    assert [(row["id"], row["outcome"]) for row in rows] == [("abc", "interrupted")]

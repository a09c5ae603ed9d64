"""A whole gateway before a fake provider: what is told arrives signed and once, what loops is paused, limits hold.

Receivers are real servers on the loopback, each as well-behaved as it is told to be.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest
from agents import Agent
from click.testing import CliRunner

from integrations.alerts.servers import OK, http, says, smtp
from reports.ledger_rows import add_call, new_ledger
from underspend.cli.main import underspend
from underspend.gateway.clock import SystemClock
from underspend.integrations.alerts.webhook import ALERT_ID, SIGNATURE, verify
from underspend.testing.fake_upstream import Reply, run_in_thread, tool_use

SECRET = "s3cret"
SECOND = 1_000_000


@pytest.fixture(scope="module")
def fake():
    with run_in_thread(keep_bodies=True) as made:
        yield made


@pytest.fixture
def begin(start, fake):
    """Starts a gateway that tells a webhook, with more of a configuration."""
    fake.script = None

    def started(server, more="", **options):
        hook = f'[[alerts.to]]\nname = "ops"\nkind = "webhook"\nurl = "http://127.0.0.1:{server.port}/x"\n'
        config = f'{hook}secret = "env:OPS_SECRET"\n\n{more}'
        return start(fake.url, config=config, env={"OPS_SECRET": SECRET}, **options)

    return started


def received(server):
    """The alerts that came, each by its kind and severity; every one is signed."""
    for asked in server.requests:
        assert verify(asked.header(SIGNATURE), asked.body, SECRET, SystemClock().now() // SECOND)
        assert asked.header(ALERT_ID) == json.loads(asked.body)["id"]
    bodies = [json.loads(asked.body) for asked in server.requests]
    return [(body["kind"], body["severity"]) for body in bodies]


def post(gateway, agent, **more):
    status, fields, body = gateway.post("/v1/messages", agent.body(**more), agent.headers)
    return status, {name.lower(): value for name, value in fields.items()}, json.loads(body)


def decisions(home):
    with closing(sqlite3.connect(home / "ledger.sqlite3", timeout=10)) as connection:
        return connection.execute(
            "SELECT d.strategy, d.edit, d.applied, c.id FROM decisions d JOIN calls c ON c.id = d.call_id "
            "ORDER BY c.started_at"
        ).fetchall()


def until(found, seconds=40):
    """Waits until something is found; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def play(gateway, agent, most=50):
    """An agent that does what the model says until it stops; how many calls that took, and the last words."""
    for count in range(1, most + 1):
        status, fields, reply = post(gateway, agent)
        assert status == 200
        if reply["stop_reason"] != "tool_use":
            return count, fields, reply
        agent.step()
    return most, fields, reply


def test_an_agent_in_a_loop_is_told_at_four_paused_at_eight_and_goes_on_when_it_is_let(begin, fake, monkeypatch):
    fake.script = lambda view: Reply(content=(tool_use("Bash", {"command": "make test"}),))
    with http(OK) as server:
        gateway = begin(server, '[runaway]\nloops = "pause"\n')
        agent, before = Agent(), len(fake.requests)
        count, fields, reply = play(gateway, agent)
        assert (count, len(fake.requests) - before) == (10, 9)
        assert fields["x-underspend-pause"] == "loop"
        assert reply["stop_reason"] == "end_turn"
        assert "Bash failed 8 times in a row" in reply["content"][0]["text"]
        server.wait(2)
        assert received(server) == [("loop", "warning"), ("loop", "critical")]
        (pause,) = gateway.status()["pauses"]
        assert pause["session"] == agent.session
        gateway.rows(wait_for=10)
        found = decisions(gateway.home)
        assert [row[:3] for row in found] == [("runaway", "Warn", 1)] * 5 + [("runaway", "Refuse", 1)]
        resume(gateway, monkeypatch, agent.session[:8])
        assert gateway.status()["pauses"] == []
        assert post(gateway, agent)[2]["stop_reason"] == "tool_use"
        assert explained(gateway, monkeypatch, found[-1][3]).count("Paused by Underspend.") == 1


def command(gateway, monkeypatch, *arguments):
    monkeypatch.setenv("UNDERSPEND_HOME", str(gateway.home))
    monkeypatch.setenv("UNDERSPEND_GATEWAY_PORT", str(gateway.port))
    return CliRunner().invoke(underspend, arguments).output


def resume(gateway, monkeypatch, name):
    assert "goes on." in command(gateway, monkeypatch, "alerts", "resume", name)


def explained(gateway, monkeypatch, call):
    return " ".join(command(gateway, monkeypatch, "explain", call).split())


def test_the_next_prompt_ends_a_pause_on_the_wire(begin, fake):
    fake.script = lambda view: Reply(content=(tool_use("Bash", {"command": "make test"}),))
    with http(OK) as server:
        gateway = begin(server, '[runaway]\nloops = "pause"\n')
        agent = Agent()
        play(gateway, agent)
        agent.says("Paused by Underspend.")
        agent.prompt("Look at the Makefile.")
        assert post(gateway, agent)[2]["stop_reason"] == "tool_use"


def test_rate_limits_hold_for_a_session_and_for_a_key_and_are_told_once(begin, fake):
    limits = '[rate_limits.a]\nmost = 2\nwithin = "1h"\n[rate_limits.b]\nmost = 3\nwithin = "1h"\nof = "key"\n'
    with http(OK) as server:
        gateway = begin(server, limits)
        one, two, other = Agent(session="one"), Agent(session="two"), Agent(session="three", key="sk-other")
        found = [post(gateway, agent) for agent in (one, one, one, one, two, two, other)]
        assert [status for status, *_ in found] == [200, 200, 429, 429, 200, 429, 200]
        waits = [int(fields["retry-after"]) for status, fields, _ in found if status == 429]
        assert [most - 60 < wait <= most for wait, most in zip(waits, (1800, 3600, 1200), strict=True)] == [True] * 3
        server.wait(2)
        assert received(server) == [("rate_limit", "warning")] * 2
        assert len([row for row in gateway.rows(wait_for=7) if row["status"] == 429]) == 3
        assert [row[:3] for row in decisions(gateway.home)] == [("rate_limits", "Refuse", 1)] * 3
        assert gateway.status()["alerts"]["held_back"] == 1


def test_too_many_sub_agents_are_told(begin):
    with http(OK) as server:
        gateway = begin(server, "[runaway]\nagents = 2\n")
        for number in range(6):
            post(gateway, Agent(agent=f"a{number}"))
        server.wait(2)
        assert received(server) == [("fan_out", "warning"), ("fan_out", "critical")]


def test_spending_faster_than_ever_is_told_from_what_the_ledger_knows(begin, tmp_path):
    home, now = tmp_path / "home", SystemClock().now() / SECOND
    home.mkdir()
    ledger = new_ledger(home)
    for number in range(1, 121):
        at = datetime.fromtimestamp(now - number * 3_600, UTC).isoformat()
        add_call(ledger, f"c{number}", at, (1, 0, 0, 0, 1), cost_pico=1_000)
    ledger.dispose()
    with http(OK) as server:
        gateway = begin(server, '[runaway]\nvelocity_usd = "0.000001"\n', home=home)
        post(gateway, Agent())
        server.wait(1)
        assert received(server) == [("velocity", "critical")]


def test_what_did_not_arrive_is_tried_again_and_arrives_once(begin):
    with http(says("503 Later"), OK) as server:
        gateway = begin(server, '[rate_limits.a]\nmost = 1\nwithin = "1h"\n')
        for _ in range(3):
            post(gateway, Agent())
        server.wait(2)
        assert received(server) == [("rate_limit", "warning")] * 2
        assert len({asked.header(ALERT_ID) for asked in server.requests}) == 1
        place = until(lambda: next(each for each in gateway.status()["alerts"]["places"] if each["sent"]))
        assert (place["sent"], place["failed"], place["waiting"]) == (1, 0, 0)


def test_a_receiver_that_hangs_holds_up_no_call(begin):
    """It answers when all calls are done: were one of them to wait for it, neither would ever end."""
    all_done = threading.Event()

    def when_all_is_done(connection):
        if all_done.wait(20):
            connection.sendall(OK)

    with http(when_all_is_done) as server:
        gateway = begin(server, '[rate_limits.a]\nmost = 1\nwithin = "1h"\naction = "warn"\n')
        for number in range(20):
            for _ in range(2):
                assert post(gateway, Agent(session=f"s{number}"))[0] == 200
        server.wait(1)
        (place,) = gateway.status()["alerts"]["places"]
        assert (place["sent"], place["waiting"]) == (0, 19)
        all_done.set()
        until(lambda: len({asked.header(ALERT_ID) for asked in server.requests}) == 20)


def test_what_is_not_delivered_is_seen_in_status_and_in_the_log(begin, monkeypatch):
    with http(says("404 No")) as server:
        gateway = begin(server, '[rate_limits.a]\nmost = 1\nwithin = "1h"\n')
        assert [post(gateway, Agent())[0] for _ in range(2)] == [200, 429]
        until(lambda: gateway.status()["alerts"]["places"][0]["failed"])
        shown = command(gateway, monkeypatch, "status")
        assert "ops (webhook): 1 not delivered; last error: 127.0.0.1 answers 404" in shown
        assert "alerts (1×): ops: 127.0.0.1 answers 404; calls went on" in shown
        (row,) = json.loads(command(gateway, monkeypatch, "alerts", "log", "--failed", "--json"))
        assert (row["to"], row["state"], row["kind"]) == ("ops", "failed", "rate_limit")


def test_mail_arrives_too(start, fake):
    with smtp() as server:
        place = '[[alerts.to]]\nname = "mail"\nkind = "email"\nhost = "127.0.0.1"\nsecurity = "none"\n'
        who = f'port = {server.port}\nsender = "a@example.com"\nto = ["b@example.com"]\n'
        gateway = start(fake.url, config=f"{place}{who}[rate_limits.a]\nmost = 1\n")
        for _ in range(2):
            post(gateway, Agent())
        until(lambda: server.mails)
        assert "The rate limit a" in server.mails[0].replace("=\n", "")


def test_a_subscription_is_only_observed_on_the_wire(begin, fake):
    fake.script = lambda view: Reply(content=(tool_use("Bash", {"command": "make test"}),))
    with http(OK) as server:
        gateway = begin(server, '[runaway]\nloops = "pause"\n[rate_limits.a]\nmost = 3\nwithin = "1h"\n')
        count, fields, _ = play(gateway, Agent(login=True), most=12)
        assert (count, "x-underspend-pause" in fields) == (12, False)
        server.wait(3)
        assert received(server) == [("rate_limit", "warning"), ("loop", "warning"), ("loop", "critical")]
        assert gateway.status()["pauses"] == []

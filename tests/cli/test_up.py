import json
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from integrations.alerts.servers import OK, http
from reports.ledger_rows import add_call, us
from underspend.cli import up as command
from underspend.config import load
from underspend.core.budgets import Crossing
from underspend.gateway.assembly import Frame
from underspend.gateway.live import Live
from underspend.gateway.serve import Parts, _with_alerts
from underspend.gateway.status import Status
from underspend.integrations.alerts.hourly import Hourly
from underspend.integrations.alerts.webhook import SIGNATURE, verify

NOW = us("2026-11-20T16:40:00+00:00")
MILLION = 10**6


@pytest.fixture
def up(home):
    command = [sys.executable, "-m", "underspend", "up", "--port", "0", "--upstream", "http://127.0.0.1:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        if process.poll() is None:
            process.kill()


def test_it_says_where_it_listens_and_ctrl_c_ends_it_quietly(up, home):
    said = [up.stdout.readline() for _ in range(5)]
    url = said[0].split()[3]
    assert f"dashboard    {url}/_/" in said[1]
    assert f"ANTHROPIC_BASE_URL={url} claude" in said[2]
    assert str(home / "ledger.sqlite3") in said[3]
    with urllib.request.urlopen(f"{url}/_/health") as reply:
        assert reply.status == 200
    up.send_signal(signal.SIGINT)
    assert up.wait(20) == 0


def test_a_wrong_option_is_one_line(program):
    done = program("up", "--prot", "1")
    assert done.returncode == 2
    assert done.stderr.startswith("underspend: No such option")
    assert done.stderr.count("\n") == 1


@contextmanager
def frame(home, ledger, text):
    """What a gateway of these settings tells with."""
    settings = load(home=home, text=text, environ={})
    clock = SimpleNamespace(now=lambda: NOW)
    status = Status(clock=clock, version="0")
    parts = Parts(engine=ledger, live=Live(), status=status, settings=settings)
    with _with_alerts(Frame(clock, parts.live, status), parts, command.alerts) as made:
        yield made


@pytest.fixture
def hook(home):
    secret = home / "secret"
    secret.write_text("s3cret")
    secret.chmod(0o600)
    with http(OK) as server:
        server.config = (
            f'[[alerts.to]]\nname = "ops"\nkind = "webhook"\nurl = "http://127.0.0.1:{server.port}/"\n'
            f'secret = "file:{secret.as_posix()}"\n'
        )
        yield server


def received(server):
    for asked in server.requests:
        assert verify(asked.header(SIGNATURE), asked.body, "s3cret", NOW // MILLION)
    return sorted((json.loads(asked.body)["kind"], json.loads(asked.body)["severity"]) for asked in server.requests)


def test_dear_weeks_and_months_arrive_from_the_ledger(home, ledger, hook, monkeypatch):
    monkeypatch.setitem(Hourly.__init__.__kwdefaults__, "first", 0.01)
    monkeypatch.setitem(Hourly.__init__.__kwdefaults__, "every", 0.01)
    add_call(ledger, "a", "2026-11-11T10:00:00+00:00", (5 * MILLION, 0, 0, 0, 0))
    add_call(ledger, "b", "2026-11-18T10:00:00+00:00", (25 * MILLION, 0, 0, 0, 0))
    with frame(home, ledger, f'[alerts]\nmonth_usd = "80"\n{hook.config}') as made:
        hook.wait(2)
        told = made.status.snapshot()["alerts"]
    assert received(hook) == [("forecast", "critical"), ("trend", "warning")]
    assert {each["kind"] for each in told["recent"]} == {"forecast", "trend"}


def test_a_budgets_threshold_arrives(home, ledger, hook):
    with frame(home, ledger, hook.config) as made:
        made.on_crossing(Crossing("daily", "daily|rolling day||project|web|", 80, 4 * 10**12, 5 * 10**12, NOW + 1))
        hook.wait(1)
    assert received(hook) == [("budget", "warning")]
    assert json.loads(hook.requests[0].body)["subject"] == "budget daily, project web"


@pytest.mark.parametrize("text", ["", '[strategies.cap_output]\nstate = "on"\n'])
def test_without_a_table_nothing_is_opened(home, ledger, text, monkeypatch):
    monkeypatch.setattr(command, "alerts", None)
    with frame(home, ledger, text) as made:
        assert (made.tells, made.on_crossing, made.status.alerts) == (None, None, None)


def test_without_a_place_what_is_told_is_seen_in_status_alone(home, ledger):
    with frame(home, ledger, "[runaway]\n") as made:
        made.on_crossing(Crossing("daily", "daily|rolling day||all||", 100, 5 * 10**12, 5 * 10**12, NOW + 1))
        told = made.status.snapshot()["alerts"]
    assert [(each["kind"], each["severity"]) for each in told["recent"]] == [("budget", "critical")]
    assert told["places"] == []

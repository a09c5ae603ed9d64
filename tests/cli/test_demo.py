import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
from click.testing import CliRunner

from underspend.cli import demo
from underspend.testing.demo import PlayError, Progress, sessions

PAST = [session for session in sessions() if session.days_ago is not None]
CALLS = sum(session.calls for session in PAST)
SECONDS = 60


class Running:
    def __init__(self, process, home):
        self.process = process
        self.home = home
        self.told = []

    def read_until(self, words):
        while words not in "".join(self.told):
            line = self.process.stdout.readline()
            assert line, f"it ended: {''.join(self.told)}"
            self.told.append(line)
        return "".join(self.told)

    def said(self, pattern):
        return re.search(pattern, "".join(self.told))[1]

    @property
    def folder(self):
        (found,) = self.home.glob("underspend-demo-*")
        return found

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out


@contextmanager
def running(home, *options, **env):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UNDERSPEND_", "XDG_"))}
    places = {"HOME": str(home), "TMPDIR": str(home), "PYTHONWARNINGS": "error"}
    process = subprocess.Popen(
        [sys.executable, "-m", "underspend", "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**kept, **places, **env},
    )
    try:
        yield Running(process, home)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=SECONDS)


def get(url, path):
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()


def ledger(folder, what):
    with closing(sqlite3.connect(folder / "ledger.sqlite3", timeout=10)) as connection:
        return connection.execute(f"SELECT {what} FROM calls WHERE state = 'settled'").fetchall()


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A demo whose past is played; only read from, for other tests share it."""
    with running(tmp_path_factory.mktemp("home"), "--port", "0", UNDERSPEND_LEDGER_URL="sqlite:////not/ours") as made:
        made.read_until("Ctrl-C")
        yield made


def url_of(played):
    return played.said(r"underspend demo: (http://127\.0\.0\.1:\d+)/_/")


def provider_of(played):
    config = (played.folder / "config.toml").read_text()
    return re.search(r'anthropic = "(.+)"', config)[1]


def test_it_says_where_the_page_is_and_what_was_played(played):
    told = "".join(played.told)
    assert f"{len(PAST)} sessions, {CALLS} calls, $" in told
    assert "replayed against a fake provider" in told
    assert f"export UNDERSPEND_HOME={played.folder}" in told
    assert all(len(line) < 120 for line in told.splitlines() if "UNDERSPEND_HOME" not in line)


@pytest.mark.parametrize("path", ["/_/", "/_/health", "/_/api/status"])
def test_the_page_answers(played, path):
    assert get(url_of(played), path)[0] == 200


def test_the_gateway_has_no_faults_of_its_own(played):
    status = json.loads(get(url_of(played), "/_/api/status")[1])
    assert status["faults"] == []
    assert 0 <= status["uptime_s"] < 3_600


def test_the_provider_had_nothing_to_refuse(played):
    seen = json.loads(get(provider_of(played), "/__fake__/requests")[1])
    assert len(seen) >= CALLS
    assert {row["status"] for row in seen} <= {0, 200}  # 0 is one that is on its way
    assert {row["role"] for row in seen} == {"main", "subagent", "compaction"}


def test_the_ledger_says_what_the_provider_bills_to_the_pico_dollar(played):
    provider, deadline = provider_of(played), time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        bill = json.loads(get(provider, "/__fake__/bill")[1])["total"]
        ((paid, unpriced),) = ledger(played.folder, "sum(cost_pico), max(unpriced)")
        if paid == bill["picodollars"]:
            assert unpriced is None
            assert bill["unpriced"] == []
            break
        time.sleep(0.2)
    else:
        pytest.fail(f"the ledger says {paid}, the provider {bill}")


def test_sessions_lie_in_the_past_with_their_projects_and_agents(played):
    rows = ledger(played.folder, "session, project, agent, agent_type, role, started_at")
    starts = [row[5] for row in rows]
    now = time.time_ns() // 1000
    days = (now - min(starts)) / 86_400_000_000
    assert 19 < days < 23
    assert max(starts) <= now
    assert {session.id for session in PAST} <= {row[0] for row in rows}
    assert {session.project for session in PAST} <= {row[1] for row in rows}
    assert {row[3] for row in rows if row[2]} == {"Explore"}
    assert len({start // 86_400_000_000 for start in starts}) >= 7


def test_a_pause_made_the_cache_cold_and_later_ones_were_insured(played):
    rows = ledger(played.folder, "session, started_at, cache_read_tokens, cache_write_5m_tokens")
    long = sorted(row[1:] for row in rows if row[0] == PAST[0].id)
    cold = [after for before, after in pairwise(long) if after[0] - before[0] > 300_000_000]
    assert len(cold) >= 5
    assert cold[0][1] == 0
    assert cold[0][2] > 20_000
    assert any(after[1] > 20_000 for after in cold[1:])


def test_calls_go_on(played):
    before = len(ledger(played.folder, "id"))
    deadline = time.monotonic() + SECONDS
    while len(ledger(played.folder, "id")) == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(ledger(played.folder, "id")) > before


def test_other_commands_find_its_ledger(played):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSPEND_")}
    command = [sys.executable, "-m", "underspend", "spend", "--by", "project", "--json"]
    env = {**clean, "UNDERSPEND_HOME": str(played.folder)}
    said = json.loads(subprocess.run(command, env=env, capture_output=True, check=True, timeout=SECONDS).stdout)
    assert {row["project"] for row in said["rows"]} == {session.project for session in sessions()}


def test_both_bills_are_told_session_by_session(played):
    told = "".join(played.told)
    assert all(f"{session.project} {session.id[:8]}" in told for session in PAST)
    assert re.search(r"On: .*\. `underspend savings` says ", told)


def test_the_bills_alone_end_by_themselves(tmp_path):
    with running(tmp_path, "--port", "0", "--bills") as made:
        out, _ = made.process.communicate(timeout=SECONDS)
    assert made.process.returncode == 0
    assert out.startswith("| session | calls |")
    total = re.search(r"\*\*all\*\* \| \*\*(\d+)\*\* \| \*\*\$([\d.]+)\*\* \| \*\*\$([\d.]+)", out)
    assert int(total[1]) == CALLS
    assert float(total[3]) <= float(total[2])
    assert list(tmp_path.iterdir()) == []
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"\*\*all\*\* \| \*\*(\d+)\*\* \| \*\*\$([\d.]+)\*\* \| \*\*\$([\d.]+)", readme)
    assert [float(each) for each in shown.groups()] == pytest.approx([float(each) for each in total.groups()], rel=0.01)
    assert re.search(r"On: .*?\.", readme)[0] == re.search(r"On: .*?\.", out)[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_nothing_is_left(tmp_path, number):
    with running(tmp_path, "--port", "0") as made:
        made.read_until("Ctrl-C")
        code, out = made.end(number)
    assert code == 0
    assert "its files are removed" in out
    assert "Traceback" not in out
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_stopped_while_it_plays(tmp_path):
    with running(tmp_path, "--port", "0", "--speed", "live") as made:
        made.read_until("fills in the next minutes")
        time.sleep(0.5)
        code, out = made.end()
    assert code == 0
    assert "Traceback" not in out
    assert "stopped after" in out
    assert list(tmp_path.iterdir()) == []


def test_it_takes_a_free_port_when_its_own_is_taken_and_keeps_what_it_is_asked_to(tmp_path):
    kept = tmp_path / "kept"
    with closing(socket.socket()) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 4100))
            taken.listen()
        except OSError:
            pass  # someone has it already, which will do as well
        with running(tmp_path, "--keep", str(kept)) as made:
            made.read_until("Ctrl-C")
            port = urlsplit(url_of(made)).port
            code, out = made.end()
    assert port != 4100
    assert code == 0
    assert str(kept) in out
    assert len(ledger(kept, "id")) >= CALLS
    assert list(tmp_path.iterdir()) == [kept]


def test_a_port_that_was_asked_for_and_is_taken_is_said(tmp_path):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with running(tmp_path, "--port", str(taken.getsockname()[1])) as made:
            out, _ = made.process.communicate(timeout=SECONDS)
    assert made.process.returncode == 3
    assert "is in use" in out
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_files_is_not_kept_in(tmp_path):
    (tmp_path / "ledger.sqlite3").write_bytes(b"mine")
    result = CliRunner().invoke(demo.command, ["--keep", str(tmp_path)])
    assert result.exit_code == 2
    assert "holds files already" in result.output


def test_a_browser_needs_a_screen(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not demo._has_browser()
    monkeypatch.setenv("DISPLAY", ":0")
    assert demo._has_browser()
    monkeypatch.delenv("DISPLAY")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert demo._has_browser()


def test_progress_is_shown_on_a_terminal_only(monkeypatch, capsys):
    demo._progress(Progress(3, 9))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    demo._progress(Progress(3, 9))
    assert "3 of 9 calls" in capsys.readouterr().err
    demo._overwrite("")
    assert capsys.readouterr().err == "\r\x1b[K"


def test_the_page_is_opened_when_asked_and_possible(monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(demo.click, "launch", opened.append)
    monkeypatch.setattr(demo, "_has_browser", lambda: True)
    demo.Demo(tmp_path, pause=0, opens=False, kept=False)._show("http://x")
    demo.Demo(tmp_path, pause=0, opens=True, kept=False)._show("http://x")
    assert opened == ["http://x/_/"]


def test_a_call_that_is_not_answered_as_it_should_stops_the_demo(monkeypatch, tmp_path):
    made, raised = demo.Demo(tmp_path, pause=0, opens=False, kept=False), []

    def refused(*_):
        raise PlayError("a recorded call was answered 400")

    monkeypatch.setattr(made._alone, "past", refused)
    monkeypatch.setattr(made._player, "stopped_within", lambda _: False)
    monkeypatch.setattr(signal, "raise_signal", raised.append)

    def serve(settings, dashboard, ready, *, clock):
        ready("http://127.0.0.1:1")

    monkeypatch.setattr("underspend.gateway.serve.serve", serve)
    with pytest.raises(click.ClickException, match="answered 400"):
        made.run(0)
    assert raised == [signal.SIGINT]

import json

import pytest
from click.testing import CliRunner

from cli.whatif_files import NOW, write_sessions
from underspend.cli import reading
from underspend.cli.whatif import command


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("UNDERSPEND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UNDERSPEND_REPORT_TIMEZONE", "UTC")
    monkeypatch.setattr(reading, "now", lambda: NOW)
    write_sessions(tmp_path / "projects" / "-p")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(command, arguments)


def test_the_check_as_json(root):
    found = json.loads(run("--check", "--json", "--root", str(root)).stdout)
    assert (found["calls"], found["calls_within_2pct"]) == (8, 6)
    assert found["determined"]["calls"] == 4
    assert found["misses_by_cause"]["unexplained"]["calls"] == 2
    assert isinstance(found["cost_recorded_usd"], str)


def test_since_counts_only_later_calls(root):
    found = json.loads(run("--check", "--json", "--root", str(root), "--since", "2026-11-20").stdout)
    assert found["calls"] == 4
    assert {miss["session"] for miss in found["misses"]} == {"s-20"}


def test_the_check_as_a_table(root):
    found = run("--check", "--root", str(root))
    assert found.exit_code == 0
    assert "75.00 % of calls within 2 % of their prompt" in found.stdout
    assert "a warm prefix missed, for no recorded reason" in found.stdout
    assert "The dearest 2 of 2" in found.stdout
    assert max(map(len, found.stdout.splitlines())) < 100


def test_nothing_to_check(root, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("--check", "--root", str(empty)).stdout == "No calls recorded there.\n"
    assert json.loads(run("--check", "--json", "--root", str(empty)).stdout)["calls"] == 0

import json
from decimal import Decimal

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


def test_the_default_policy_as_text(root):
    found = run("--root", str(root))
    assert found.exit_code == 0, found.output
    assert "as recorded" in found.stdout
    assert "8 calls replayed" in found.stdout
    assert "[strategies.cache_ttl]" in found.stdout


def test_the_replay_as_json_counts_from_since(root):
    whole = json.loads(run("--json", "--root", str(root)).stdout)
    later = json.loads(run("--json", "--root", str(root), "--since", "2026-11-20").stdout)
    assert (whole["calls"], later["calls"]) == (8, 4)
    assert Decimal(later["recorded_usd"]) * 2 == Decimal(whole["recorded_usd"])
    assert whole["tried_others"] is True
    assert json.loads(run("--json", "--no-each", "--root", str(root)).stdout)["others"] == []


def test_a_setting_changes_the_policy(root):
    off = run("--json", "--root", str(root), "--set", "strategies.cache_ttl.state=off")
    found = json.loads(off.stdout)
    assert "cache_ttl" not in {part["strategy"] for part in found["policy"]}
    assert "cache_ttl" in {part["strategy"] for part in found["others"]}


def test_a_policy_file_and_what_is_wrong_with_it(root, tmp_path):
    file = tmp_path / "p.toml"
    file.write_text('[strategies.cache_ttl]\nstate = "off"\n[strategies.cache_breakpoints]\nstate = "off"\n')
    found = json.loads(run("--json", "--root", str(root), "--policy", str(file)).stdout)
    assert found["recorded_usd"] == found["replayed_usd"]
    file.write_text("[strategies.nosuch]\n")
    wrong = run("--root", str(root), "--policy", str(file))
    assert wrong.exit_code != 0
    assert "no strategy nosuch" in str(wrong.exception)


def test_markdown_and_html(root, tmp_path):
    assert run("--md", "--root", str(root)).stdout.startswith("# $")
    page = tmp_path / "whatif.html"
    found = run("--html", str(page), "--root", str(root))
    assert found.stdout.startswith(f"Wrote {page} (")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run("--html", str(tmp_path / "no" / "x.html"), "--root", str(root)).exit_code == 1


def test_a_baseline_that_is_better_ends_with_one(root, tmp_path):
    base = tmp_path / "base.json"
    base.write_text(run("--json", "--root", str(root)).stdout)
    same = run("--root", str(root), "--baseline", str(base))
    assert (same.exit_code, "Not worse than the baseline." in same.stdout) == (0, True)
    better = json.loads(base.read_text())
    better["replayed_usd"] = "0.01"
    base.write_text(json.dumps(better))
    worse = run("--json", "--root", str(root), "--baseline", str(base))
    assert worse.exit_code == 1
    assert "Worse than the baseline." in worse.stderr
    assert json.loads(worse.stdout)["calls"] == 8


def test_the_gateways_ledger_is_another_source(root):
    assert run("--ledger").stdout == "No calls recorded there.\n"


def test_nothing_recorded(root, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("--root", str(empty)).stdout == "No calls recorded there.\n"


def test_it_is_the_same_every_time(root):
    assert run("--json", "--root", str(root)).stdout == run("--json", "--root", str(root)).stdout


def test_a_time_that_is_none(root):
    found = run("--since", "soonish")
    assert found.exit_code == 2
    assert "--since" in found.stderr

import json
import subprocess
import sys

from click.testing import CliRunner

from underspend.cli import quota

SAID = json.dumps(
    {
        "rate_limits": {
            "five_hour": {"used_percentage": 46.23, "resets_at": 1_795_170_000},
            "seven_day": {"used_percentage": 12, "resets_at": 1_795_600_000},
        }
    }
)


def test_a_status_line_of_shares_that_are_kept(run, home):
    assert run("quota", text=SAID).stdout == "5 h 46.2% · 7 d 12%\n"
    kept = [json.loads(line) for line in (home / "quota.jsonl").read_text().splitlines()]
    assert [(each["window"], each["used_permille"]) for each in kept] == [("five_hour", 462), ("seven_day", 120)]
    run("quota", text=SAID)
    assert len((home / "quota.jsonl").read_text().splitlines()) == 2


def test_a_status_line_without_shares_is_empty(run, home):
    assert run("quota", text="{}").stdout == "\n"
    assert run("quota", text="no JSON").exit_code == 0
    assert not (home / "quota.jsonl").exists()


def test_a_broken_configuration_breaks_no_status_line(run, home):
    (home / "config.toml").write_text("this is no TOML")
    assert run("quota", text=SAID).exit_code == 0


def test_the_users_own_status_line_is_given_the_same(home):
    code = "import sys; print(sys.argv[1], len(sys.stdin.read())); sys.exit(3)"
    command = [sys.executable, "-c", "from underspend.cli.main import main; main()", "quota", "--"]
    found = subprocess.run(
        [*command, sys.executable, "-c", code, "--flag"], input=SAID, capture_output=True, text=True, check=False
    )
    assert (found.stdout, found.returncode) == (f"--flag {len(SAID)}\n", 3)
    assert (home / "quota.jsonl").exists()


def test_a_command_that_is_none(run):
    found = run("quota", "--", "/no/such/command", text=SAID)
    assert found.exit_code == 1
    assert "/no/such/command cannot be run" in found.stderr


class Terminal:
    def isatty(self):
        return True


def test_on_a_terminal_the_newest_are_shown(run, home, monkeypatch):
    run("quota", text=SAID)
    monkeypatch.setattr(quota, "sys", type("sys", (), {"stdin": Terminal()}))
    shown = CliRunner().invoke(quota.command).stdout
    assert "5 h  46.2%  at " in shown
    assert "(Claude Code's status line); resets 2026-11-20 10:20 UTC" in shown


def test_on_a_terminal_without_any_it_says_how_to_get_them(home, monkeypatch):
    monkeypatch.setattr(quota, "sys", type("sys", (), {"stdin": Terminal()}))
    assert '"command": "underspend quota"' in CliRunner().invoke(quota.command).stdout

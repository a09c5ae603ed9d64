import json

import pytest
from click.testing import CliRunner

from underspend.cli import reading
from underspend.cli.whatif import command

NOW = 1_795_219_200_000_000


def entry(number, usage, *, day=20):
    time = f"2026-11-{day}T10:{number:02d}:00.000Z"
    fresh, written, read = usage
    said = {
        "id": f"msg_{day}_{number}",
        "model": "claude-opus-5-5",
        "role": "assistant",
        "stop_reason": "tool_use",
        "content": [{"type": "tool_use", "id": f"t{day}{number}", "name": "Bash", "input": {"command": "ls"}}],
        "usage": {
            "input_tokens": fresh,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "output_tokens": 9,
        },
    }
    result = {"type": "tool_result", "tool_use_id": f"t{day}{number}", "content": "x"}
    both = {"sessionId": f"s-{day}", "version": "2.1.328", "cwd": "/p"}
    return [
        {"type": "assistant", "uuid": f"a{day}{number}", "timestamp": time, "message": said, **both},
        {
            "type": "user",
            "uuid": f"u{day}{number}",
            "timestamp": time.replace(":00.", ":02."),
            "message": {"role": "user", "content": [result]},
            **both,
        },
    ]


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("UNDERSPEND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UNDERSPEND_REPORT_TIMEZONE", "UTC")
    monkeypatch.setattr(reading, "now", lambda: NOW)
    folder = tmp_path / "projects" / "-p"
    folder.mkdir(parents=True)
    usages = [(3, 9000, 0), (3, 500, 9000), (3, 400, 9500), (3, 10_000, 0)]
    for day in (19, 20):
        rows = [row for number, usage in enumerate(usages) for row in entry(number, usage, day=day)]
        (folder / f"s-{day}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
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


def test_replay_is_not_here_yet(root):
    found = run("--root", str(root))
    assert found.exit_code == 2
    assert "replay is not here yet" in found.stderr


def test_a_time_that_is_none(root):
    found = run("--check", "--since", "soonish")
    assert found.exit_code == 2
    assert "--since" in found.stderr

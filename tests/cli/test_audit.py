import json

import click
import pytest
from click.testing import CliRunner

from reports.ledger_rows import us
from underspend.cli import audit
from underspend.cli.audit import bare, command

NOW = us("2026-11-20T16:40:00+00:00")
SESSION = "11111111-2222-3333-4444-555555555555"


def reply(name, minute, *, day=20, model="claude-opus-5-5", session=SESSION, **usage):
    tokens = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    return {
        "type": "assistant",
        "uuid": f"u-{name}",
        "sessionId": session,
        "cwd": "/home/dev/shop",
        "version": "2.1.328",
        "timestamp": f"2026-11-{day:02}T10:{minute:02}:00.000Z",
        "requestId": f"req_{name}",
        "message": {
            "id": f"msg_{name}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "done"}],
            "usage": tokens | usage,
        },
    }


ENTRIES = (
    reply("a", 1, input_tokens=100, cache_creation_input_tokens=9000, output_tokens=50),
    reply("b", 2, cache_read_input_tokens=9100, cache_creation_input_tokens=300, output_tokens=20),
)


@pytest.fixture
def claude(tmp_path, monkeypatch):
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "claude"
    (folder / "projects" / "-home-dev-shop").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(folder))
    monkeypatch.setattr(audit, "_now", lambda: NOW)
    return folder


def write(claude, *entries, session=SESSION):
    path = claude / "projects" / "-home-dev-shop" / f"{session}.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in entries))
    return path


@pytest.fixture
def call(home, claude):
    def run(*arguments):
        return CliRunner().invoke(command, arguments)

    return run


@pytest.fixture
def filled(claude):
    return write(claude, *ENTRIES)


def test_bare_underspend_prints_the_bill_and_the_next_command(home, filled):
    made = CliRunner().invoke(click.command()(bare))
    assert made.exit_code == 0
    assert made.output.startswith("$0.0501 in Claude Code, 2026-11-20 to 2026-11-20")
    assert "cache write 5m" in made.output
    assert made.output.rstrip().endswith("underspend audit")


def test_without_transcripts_it_says_what_to_do(call, claude):
    made = call()
    assert made.exit_code == 0
    assert str(claude) in made.output
    assert "CLAUDE_CONFIG_DIR=" in made.output


def test_the_long_report(call, filled):
    made = call()
    assert made.exit_code == 0
    assert "Where it went" in made.output
    assert max(map(len, made.output.splitlines())) < 100


def test_json(call, filled):
    found = json.loads(call("--json").output)
    assert found["totals"]["requests"] == 2
    assert found["totals"]["cache_read_tokens"] == 9100
    assert found["totals"]["cost_usd"] == "0.05012"
    assert list(found["groups"]["by_session"]) == [SESSION]


def test_json_of_nothing_is_json_too(call):
    assert json.loads(call("--json").output)["totals"]["requests"] == 0


def test_csv_and_markdown(call, filled):
    assert call("--csv").output.startswith("group,key,requests,")
    assert call("--md").output.startswith("# $0.0501 in Claude Code")


def test_html(call, filled, tmp_path):
    made = call("--html", str(tmp_path / "a.html"))
    assert "no external requests" in made.output
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    failed = call("--html", str(tmp_path / "gone" / "a.html"))
    assert failed.exit_code == 1
    assert "cannot be written" in failed.output


def test_filters(call, claude):
    write(claude, *ENTRIES, reply("c", 3, day=10, model="claude-haiku-5-5", input_tokens=10))
    requests = [
        json.loads(call("--json", *more).output)["totals"]["requests"]
        for more in (
            (),
            ("--since", "2026-11-15"),
            ("--until", "2026-11-10"),
            ("--model", "claude-haiku-5-5"),
            ("--session", "1111"),
            ("--session", "9"),
        )
    ]
    assert requests == [3, 2, 1, 1, 3, 0]
    assert call("--since", "someday").exit_code == 2


def test_a_plan_is_labelled_as_an_equivalent(call, filled):
    assert "API-equivalent: what these tokens cost" in call("--plan", "max20").output
    assert json.loads(call("--json", "--plan", "api").output)["paying"]["plan"] == "api"


def test_a_finding_that_is_not_there(call, filled):
    assert "No finding nothing/such" in str(call("--show", "nothing/such").exception)


def test_a_finding_in_each_form(call, claude, monkeypatch):
    from reports.audit.reports import TwoFindings
    from underspend import advisors

    monkeypatch.setattr(advisors, "BUILTIN", (TwoFindings,))
    write(claude, *(each | {"message": each["message"] | {"id": "m1"}} for each in ENTRIES[:1]))
    assert "Prefixes written again" in call("--show", "two/gap").output
    assert json.loads(call("--show", "two/gap", "--json").output)["id"] == "two/gap"
    assert call("--show", "two/gap", "--csv").output.startswith("file,line,tokens,why\n")


def test_a_comparison_with_ccusage(call, filled, tmp_path):
    row = {"modelName": "claude-opus-5-5", "inputTokens": 100, "outputTokens": 70, "cacheCreationTokens": 9300}
    row |= {"cacheReadTokens": 9100, "cost": 0.05012}
    export = tmp_path / "ccusage.json"
    export.write_text(json.dumps({"daily": [{"date": "2026-11-20", "modelBreakdowns": [row]}]}))
    made = call("--explain-diff", str(export))
    assert "Not explained: $0.00" in made.output
    assert json.loads(call("--explain-diff", str(export), "--json").output)["residual_usd"] == "0"


def test_history_survives_the_clients_deletion(call, claude):
    old = write(
        claude, *(reply(name, 1, day=1, input_tokens=1000) | {"timestamp": "2026-09-01T10:00:00Z"} for name in "xy")
    )
    write(claude, *ENTRIES, session="22222222-2222-3333-4444-555555555555")
    before = json.loads(call("--json").output)["totals"]
    old.unlink()
    assert json.loads(call("--json").output)["totals"] == before
    assert json.loads(call("--json", "--no-keep").output)["totals"]["requests"] == 2


def test_what_someone_else_wrote_is_not_kept(call, claude, filled, home):
    assert call("--root", str(claude)).exit_code == 0
    assert not (home / "ledger.sqlite3").exists()


def test_a_ledger_that_cannot_be_used_costs_only_the_keeping(call, filled, home):
    (home / "ledger.sqlite3").write_text("no ledger")
    made = call()
    assert made.exit_code == 0
    assert "history is not kept" in made.stderr
    assert "Where it went" in made.output


def test_the_second_time_reads_the_cache(call, filled, home):
    first = call("--json", "--no-keep").output
    assert call("--json", "--no-keep").output == first
    assert call("--json", "--no-keep", "--no-cache").output == first


def test_a_bar_is_drawn_on_a_terminal_for_long_reads(monkeypatch, capsys):
    monkeypatch.setattr(audit.sys.stderr, "isatty", lambda: True, raising=False)
    with audit._progress() as told:
        told(5, 10)
        told(30_000_000, 50_000_000)
        told(50_000_000, 50_000_000)

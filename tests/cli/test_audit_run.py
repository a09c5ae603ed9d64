import json
import os
import sys
import time

import pytest
from sqlalchemy import func, select

from cli.test_audit import ENTRIES, NOW, SESSION, call, claude, filled, reply, write  # noqa: F401  # the same fixtures
from reports.ledger_rows import add_call, new_ledger, us
from underspend.cli import audit_run
from underspend.cli.audit_run import Run, can_go_on_alone, go_on_alone
from underspend.stores.schema import calls

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths as on the other systems")


def rows(home):
    engine = new_ledger(home)
    with engine.connect() as connection:
        found = connection.execute(select(func.count()).select_from(calls)).scalar_one()
    engine.dispose()
    return found


def totals(made):
    return json.loads(made.output)["totals"]


def test_what_is_kept_is_what_is_read(call, claude, filled):  # noqa: F811
    first = call("--json").output
    assert call("--json").output == first
    assert call("--json", "--no-cache").output == first
    assert json.loads(call("--json", "--timezone", "Asia/Tokyo").output)["totals"] == json.loads(first)["totals"]


def test_a_new_session_is_added_to_what_is_kept(call, claude, filled, home):  # noqa: F811
    assert totals(call("--json"))["requests"] == 2
    write(claude, reply("n", 9, session="s2", input_tokens=1), session="22222222-2222-3333-4444-555555555555")
    assert totals(call("--json"))["requests"] == 3
    assert rows(home) == 3


def test_a_ledger_made_anew_is_filled_again(call, claude, filled, home):  # noqa: F811
    call("--json")
    for file in home.glob("ledger.sqlite3*"):
        file.unlink()
    call("--json")
    assert rows(home) == 2


def test_recalled_replies_are_recalled_from_what_is_kept(call, claude, home, monkeypatch):  # noqa: F811
    old = write(claude, reply("x", 1, input_tokens=1000) | {"timestamp": "2026-09-01T10:00:00Z"})
    write(claude, *ENTRIES, session="22222222-2222-3333-4444-555555555555")
    call("--json")
    old.unlink()
    assert totals(call("--json"))["requests"] == 3
    monkeypatch.setattr("underspend.audit.history_kept.recall", None)
    assert totals(call("--json"))["requests"] == 3
    assert call("--html", str(home / "a.html"), "--no-keep").exit_code == 0


def test_replies_fetched_for_a_comparison_have_the_recalled_ones(call, claude, home, tmp_path):  # noqa: F811
    old = write(claude, reply("x", 1, input_tokens=1000) | {"timestamp": "2026-09-01T10:00:00Z"})
    call("--json")
    old.unlink()
    export = tmp_path / "ccusage.json"
    export.write_text(json.dumps({"daily": [{"date": "2026-09-01", "modelBreakdowns": []}]}))
    assert json.loads(call("--explain-diff", str(export), "--json").output)["cost_usd"] == "0.004"


def test_how_the_gateway_saw_calls_being_paid(call, claude, filled, home):  # noqa: F811
    engine = new_ledger(home)
    add_call(engine, "c1", 1, billing="oauth")
    engine.dispose()
    assert json.loads(call("--json").output)["paying"]["plan"] == "plan"


def test_shares_of_the_plans_limits_are_kept_and_shown(call, claude, filled, home):  # noqa: F811
    end = "2026-11-20T15:00:00+00:00"
    cached = {"fetchedAtMs": 1_795_171_000_000, "utilization": {"five_hour": {"utilization": 46, "resets_at": end}}}
    (claude / ".claude.json").write_text(json.dumps({"cachedUsageUtilization": cached}))
    expected = {
        "used_percent": 46.0,
        "at": "2026-11-20T10:36:40Z",
        "resets_at": "2026-11-20T15:00:00Z",
        "source": "Claude Code's own state",
    }
    assert json.loads(call("--json", "--no-keep").output)["quota"] == {"five_hour": expected}
    assert not (home / "quota.jsonl").exists()
    made = json.loads(call("--json").output)
    assert made["quota"] == {"five_hour": expected}
    assert [each["quota"] for each in made["blocks"]] == [expected]
    (claude / ".claude.json").unlink()
    assert json.loads(call("--json").output)["quota"] == {"five_hour": expected}
    assert json.loads(call("--json", "--root", str(claude)).output)["quota"] == {}


def test_the_gateways_calls_are_shown_beside_the_transcripts(call, claude, filled, home):  # noqa: F811
    assert json.loads(call("--json").output)["gateway"] is None
    engine = new_ledger(home)
    at = us("2026-11-20T10:00:58+00:00")
    add_call(engine, "c1", at, message_id="msg_a", cost_pico=46_600_000_000, session=SESSION)
    add_call(engine, "c2", at + 90_000_000, message_id="msg_c", cost_pico=10**10, role="compaction", session=SESSION)
    engine.dispose()
    made = json.loads(call("--json").output)
    assert made["gateway"] == {
        "since": "2026-11-20T10:00:58Z",
        "in_both": {"requests": 1, "transcripts_usd": "0.0464", "gateway_usd": "0.0466"},
        "only_in_transcripts": [
            {"what": "past the gateway", "requests": 1, "cost_usd": "0.00372", "cost_usd_estimated": "0"},
            {"what": "before the gateway's first call", "requests": 0, "cost_usd": "0", "cost_usd_estimated": "0"},
        ],
        "only_in_gateway": [{"what": "compaction calls", "requests": 1, "cost_usd": "0.01", "cost_usd_estimated": "0"}],
    }
    assert made["totals"]["requests"] == 2
    assert json.loads(call("--json", "--no-cache").output)["gateway"] == made["gateway"]
    assert "only in the gateway: compaction calls" in call().output
    assert json.loads(call("--json", "--until", "2026-11-19").output)["gateway"] is None
    assert json.loads(call("--json", "--root", str(claude)).output)["gateway"] is None


def test_folders_that_cannot_be_looked_into_are_listed(call, claude, filled, monkeypatch):  # noqa: F811
    from underspend.core.history import Place, Skipped
    from underspend.readers.claude_code import roots

    real = roots.sources
    skipped = [Skipped(place=Place(file="/closed", line=0), why="cannot be read")]
    monkeypatch.setattr(roots, "sources", lambda where: (real(where)[0], skipped))
    assert json.loads(call("--json").output)["skipped"] == [{"file": "/closed", "line": 0, "why": "cannot be read"}]


def test_nobody_writes_history_twice_at_once(home, claude, filled):  # noqa: F811
    run = Run({}, now=NOW, short=True)
    with run._alone() as first, run._alone() as second:
        assert (first, second) == (True, False)


def test_a_run_that_read_nothing_keeps_nothing(home, claude):  # noqa: F811
    Run({}, now=NOW, short=True).keep(None)
    assert not (home / "audits").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing goes on alone")
def test_a_copy_goes_on_alone(tmp_path):
    go_on_alone(lambda: (tmp_path / "done").write_text(str(os.getsid(0))))
    for _ in range(500):
        if (tmp_path / "done").exists() and (tmp_path / "done").read_text():
            break
        time.sleep(0.01)
    assert (tmp_path / "done").read_text() != str(os.getsid(0))
    assert not can_go_on_alone()  # pytest has taken the output


def test_where_no_copy_can_be_made_nothing_happens(monkeypatch):
    def refused():
        raise OSError

    monkeypatch.setattr(audit_run.os, "fork", refused)
    go_on_alone(lambda: None)


def test_history_is_written_by_a_copy_where_there_can_be_one(call, claude, filled, monkeypatch):  # noqa: F811
    alone = []
    monkeypatch.setattr(audit_run, "can_go_on_alone", lambda: True)
    monkeypatch.setattr(audit_run, "go_on_alone", alone.append)
    call("--json")
    assert len(alone) == 1
    alone[0]()
    call("--json")
    assert len(alone) == 1


def test_a_ledger_that_cannot_be_used_is_named_once(call, claude, filled, home):  # noqa: F811
    (home / "ledger.sqlite3").write_text("no ledger")
    assert call().stderr.count("history is not kept") == 1


def test_what_was_found_is_kept_though_nobody_reads_on(call, claude, filled, home, monkeypatch):  # noqa: F811
    def gone(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr("underspend.cli.audit._show", gone)
    assert isinstance(call().exception, BrokenPipeError)
    assert len(list((home / "audits").iterdir())) == 1

import json

from underspend.cli import status

SNAPSHOT = {
    "version": "0.1.0",
    "uptime_s": 3700,
    "listening": "http://127.0.0.1:4100",
    "upstream": "https://api.anthropic.com",
    "calls": 1234,
    "in_flight": 2,
    "faults": [{"component": "strategy x", "message": "broke", "count": 3, "last_at": 1}],
    "alerts": {
        "places": [
            {"name": "ops", "kind": "webhook", "sent": 3, "waiting": 0, "failed": 1, "dropped": 0, "last_error": "x"},
            {"name": "me", "kind": "email", "sent": 0, "waiting": 0, "failed": 0, "dropped": 0, "last_error": ""},
        ]
    },
    "pauses": [{"session": "s1", "words": "Bash failed."}, {"session": None, "words": "Too fast."}],
    "ledger": {"state": "spooling", "waiting": 12},
    "latency": {"overhead_p50_us": 900, "overhead_p99_us": 2100},
}
PAGE = """\
gateway     http://127.0.0.1:4100 → https://api.anthropic.com
dashboard   http://127.0.0.1:1/_/
version     0.1.0, up for 1 h 01 min
calls       1,234 since it started, 2 under way
added time  900 µs for half of the calls, 2.1 ms for 99 of 100
ledger      cannot be written: 12 records wait in the spool file; calls go on
alerts      ops (webhook): 3 sent, 1 not delivered; last error: x
alerts      me (email): none yet
paused      session s1: Bash failed.
paused      all calls: Too fast.
fault       strategy x (3×): broke; calls went on
"""


def test_a_running_gateway(run, monkeypatch):
    monkeypatch.setattr(status, "get_json", lambda *_: SNAPSHOT)
    found = run("status")
    assert (found.exit_code, found.output) == (0, PAGE)
    assert json.loads(run("status", "--json").stdout)["running"] is True


def test_none_runs(program):
    found = program("status")
    assert found.returncode == 1
    assert found.stdout == "Nothing answers at http://127.0.0.1:1: no gateway runs there. `underspend up` starts it.\n"
    assert json.loads(program("status", "--json").stdout) == {"running": False, "url": "http://127.0.0.1:1"}


def test_thresholds_that_were_passed_and_a_store_that_does_not_answer_are_said(run, monkeypatch):
    crossings = [{"words": f"{percent} % of the budget 'day' is spent."} for percent in (100, 80)]
    found = {**SNAPSHOT, "budgets": {"late": 3, "crossings": crossings}}
    monkeypatch.setattr(status, "get_json", lambda *_: found)
    output = run("status").output
    assert "budget      100 % of the budget 'day' is spent.\nbudget      80 %" in output
    assert "budgets     3 ended calls are not counted yet" in output

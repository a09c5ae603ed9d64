from __future__ import annotations

import json

from testing.fake_upstream.exchange import Ask, fetch, message
from underspend.testing.fake_upstream import FakeUpstream, run_in_thread


def test_requests_and_bills_can_be_read_from_outside(up: FakeUpstream, ask: Ask, say: Ask) -> None:
    say(headers={"x-claude-code-session-id": "s1"})
    say()
    rows = ask("/__fake__/requests", method="GET", key=None).json
    assert [row["session"] for row in rows] == ["s1", None]
    assert rows[0]["picodollars"] == up.requests[0].bill.picodollars > 0
    bills = ask("/__fake__/bill", method="GET").json
    assert set(bills["by_session"]) == {"s1", ""}
    assert bills["total"]["picodollars"] == sum(bill["picodollars"] for bill in bills["by_session"].values())
    assert set(bills["by_model"]) == {"claude-opus-5-5"}


def test_control_requests_are_not_in_the_ledger(up: FakeUpstream, ask: Ask) -> None:
    ask("/__fake__/bill", method="GET")
    assert up.requests == []


def test_the_clock_can_be_moved_from_outside(up: FakeUpstream, ask: Ask) -> None:
    before = up.clock.now()
    assert ask("/__fake__/clock", {"advance_seconds": 3600}).json["now"] >= before + 3600 * 10**6


def test_a_script_can_be_set_from_outside_and_forgotten(up: FakeUpstream, ask: Ask, say: Ask) -> None:
    script = {"queue": [{"type": "reply", "content": "scripted"}], "default": {"type": "fault", "status": 529}}
    assert ask("/__fake__/script", script).status == 200
    assert say().json["content"][0]["text"] == "scripted"
    assert say().status == 529
    ask("/__fake__/reset")
    assert say().status == 200
    assert len(up.requests) == 1


def test_a_batch_can_be_ended_from_outside() -> None:
    with run_in_thread(batch_seconds=None) as up:
        item = {"custom_id": "a", "params": message()}
        made = fetch(up, "/v1/messages/batches", {"requests": [item]}).json
        assert fetch(up, f"/__fake__/batches/{made['id']}/end").status == 200
        assert fetch(up, f"/v1/messages/batches/{made['id']}", method="GET").json["processing_status"] == "ended"
        assert fetch(up, "/__fake__/batches/none/end").status == 400


def test_what_cannot_be_done_is_said(ask: Ask) -> None:
    assert ask("/__fake__/nothing", method="GET").status == 404
    assert ask("/__fake__/clock", {"advance_seconds": -1}).status == 400
    assert ask("/__fake__/clock", b"{").status == 400
    assert "poem" in json.dumps(ask("/__fake__/script", {"queue": [{"type": "poem"}]}).json)


def test_control_is_under_the_prefix_too() -> None:
    with run_in_thread(prefix="/p") as up:
        assert fetch(up, "/__fake__/clock", {"advance_seconds": 1}).status == 200

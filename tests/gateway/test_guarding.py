"""A guard as the settings want it, and none where they want nothing."""

import threading

import pytest
from doubles import FixedClock
from sqlalchemy import create_engine

from reports.ledger_rows import add_call, new_ledger
from underspend.config.load import load
from underspend.gateway.guarding import guarded
from underspend.gateway.status import Status

NOW = FixedClock().now()


@pytest.fixture
def ledger(tmp_path):
    engine = new_ledger(tmp_path)
    yield engine
    engine.dispose()


def made(folder, text, engine):
    settings = load(home=folder, text=text, environ={})
    status = Status(clock=FixedClock(), version="0")
    return guarded(settings, FixedClock(), status, None, engine, lambda _: None), status


@pytest.mark.parametrize("text", ["", "[alerts]\n", '[strategies.cap_output]\nstate = "on"\n'])
def test_without_a_table_there_is_no_guard_and_no_thread(tmp_path, text):
    before = threading.active_count()
    guard, status = made(tmp_path, text, None)
    assert guard is None
    assert threading.active_count() == before
    assert (status.snapshot()["alerts"], status.snapshot()["pauses"]) == (None, [])


def test_limits_alone_watch_nothing(tmp_path):
    guard, _ = made(tmp_path, "[rate_limits.x]\nmost = 1\n", None)
    assert guard.runaway is None
    assert guard.limits is not None


def test_a_place_to_tell_is_enough_to_watch(tmp_path, ledger):
    guard, _ = made(tmp_path, '[[alerts.to]]\nname = "here"\nkind = "desktop"\n', ledger)
    assert guard.runaway is not None
    assert guard.limits is None


def test_what_is_all_off_is_not_watched(tmp_path):
    guard, _ = made(tmp_path, '[runaway]\nloops = "off"\nfan_out = "off"\nvelocity = "off"\n', None)
    assert guard.runaway is None


def test_what_was_spent_before_is_known_and_pauses_are_seen_in_status(tmp_path, ledger):
    for day in range(1, 20):
        for hour in range(6):
            add_call(ledger, f"c{day}-{hour}", f"2026-11-{day:02}T1{hour}:00:00+00:00", (1, 0, 0, 0, 1), cost_pico=1)
    guard, status = made(tmp_path, "[runaway]\n", ledger)
    assert guard.runaway._velocity.standing().of >= 100
    assert status.snapshot()["pauses"] == []


def test_a_past_that_cannot_be_read_stops_no_gateway(tmp_path):
    engine = create_engine("sqlite://")
    guard, status = made(tmp_path, "[runaway]\n", engine)
    assert guard.runaway is not None
    assert status.snapshot()["faults"][0]["component"] == "guard"
    engine.dispose()

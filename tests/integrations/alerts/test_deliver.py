"""Delivery in the background: nothing waits for it, nothing is lost unseen."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.alerts.servers import OK, T0, alert, http, never, says
from underspend.config.alerts import DesktopTo
from underspend.core.alerts import HOUR, Quiet, Severity
from underspend.core.errors import ConfigError
from underspend.integrations.alerts.deliver import Deliveries, Retries
from underspend.integrations.alerts.places import Place
from underspend.integrations.alerts.record import Record, State
from underspend.integrations.alerts.sending import NotSentError
from underspend.integrations.alerts.webhook import Webhook

QUICK = Retries(tries=4, first=0.001, most=0.002)
OPEN = Quiet(period=HOUR, most_per_hour=10_000)


class Clock:
    def now(self):
        return T0


class Sends:
    """A sender that does what it is told, one thing for each try."""

    def __init__(self, *does):
        self.does = list(does)
        self.sent = []
        self.tries = 0
        self.go = threading.Event()
        self.go.set()

    def send(self, each, now):
        assert now == T0
        assert self.go.wait(30)
        self.tries += 1
        error = self.does.pop(0) if self.does else None
        if error is not None:
            raise error
        self.sent.append(each)


def place(sender, name="p", **more):
    return Place(DesktopTo(name=name, **more), sender)


def fails(*, again=True, after=0):
    return NotSentError("h answers 500", again=again, after=after)


def wait_for(what):
    for _ in range(1000):
        if what():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come to that")


def state(deliveries, index=0):
    return deliveries.snapshot()["places"][index]


def test_what_is_told_is_delivered_in_its_order_and_counted():
    sender = Sends()
    with Deliveries([place(sender)], Clock(), quiet=OPEN) as deliveries:
        for number in range(20):
            deliveries.tell(alert(f"s{number}"))
        wait_for(lambda: state(deliveries)["sent"] == 20)
    assert [each.subject for each in sender.sent] == [f"s{number}" for number in range(20)]
    assert state(deliveries) == {
        "name": "p",
        "kind": "desktop",
        "sent": 20,
        "failed": 0,
        "dropped": 0,
        "waiting": 0,
        "last_sent_at": T0,
        "last_error": "",
        "last_error_at": None,
    }


def test_a_server_that_fails_for_a_while_gets_it_in_the_end():
    with http(says("500 No"), says("503 No"), OK) as server:
        sender = Webhook(lambda: f"http://127.0.0.1:{server.port}/", lambda: "k")
        with Deliveries([place(sender)], Clock(), retries=QUICK) as deliveries:
            deliveries.tell(alert())
            wait_for(lambda: state(deliveries)["sent"] == 1)
    assert len(server.requests) == 3
    assert len({asked.header("x-underspend-alert") for asked in server.requests}) == 1
    assert state(deliveries)["last_error"] == "127.0.0.1 answers 503"


def test_after_the_last_try_it_has_failed_and_says_why(tmp_path):
    faults = []
    sender = Sends(*[fails()] * 4)
    with Deliveries(
        [place(sender)], Clock(), retries=QUICK, record=Record(tmp_path), on_fault=lambda *each: faults.append(each)
    ) as deliveries:
        deliveries.tell(alert())
        wait_for(lambda: state(deliveries)["failed"] == 1)
        assert (state(deliveries)["last_error"], state(deliveries)["last_error_at"]) == ("h answers 500", T0)
    assert sender.tries == 4
    assert faults == [("alerts", "p: h answers 500")]
    (row,) = Record(tmp_path).read()
    assert (row.state, row.tries, row.error) == (State.FAILED, 4, "h answers 500")


@pytest.mark.parametrize("error", [fails(again=False), ConfigError(where="w", problem="p", mend="m")])
def test_what_cannot_get_better_is_tried_once(error):
    sender = Sends(error)
    with Deliveries([place(sender)], Clock(), retries=QUICK) as deliveries:
        deliveries.tell(alert())
        wait_for(lambda: state(deliveries)["failed"] == 1)
    assert sender.tries == 1


def test_a_sender_that_breaks_shows_nothing_of_what_it_held_and_goes_on():
    sender = Sends(RuntimeError("https://hooks/t0ken"))
    with Deliveries([place(sender)], Clock(), quiet=OPEN) as deliveries:
        deliveries.tell(alert("a"))
        deliveries.tell(alert("b"))
        wait_for(lambda: state(deliveries)["sent"] == 1)
        assert state(deliveries)["last_error"] == "RuntimeError in the sender"


def test_a_server_that_hangs_holds_up_no_other_place_and_nobody_who_tells():
    with http(never) as slow:
        hangs = Webhook(lambda: f"http://127.0.0.1:{slow.port}/", lambda: "k", seconds=2.0)
        sender = Sends()
        with Deliveries([place(hangs, "a"), place(sender, "b")], Clock(), retries=QUICK, quiet=OPEN) as deliveries:
            for number in range(50):
                deliveries.tell(alert(f"s{number}"))
            wait_for(lambda: state(deliveries, 1)["sent"] == 50)
            assert state(deliveries, 0)["sent"] == 0


def test_a_full_queue_loses_the_oldest_of_the_mildest_and_says_so(tmp_path):
    sender = Sends()
    sender.go.clear()
    with Deliveries([place(sender)], Clock(), quiet=OPEN, record=Record(tmp_path)) as deliveries:
        deliveries.tell(alert("under way"))
        wait_for(lambda: state(deliveries)["waiting"] == 0)
        deliveries.tell(alert("bad", Severity.CRITICAL))
        for number in range(150):
            deliveries.tell(alert(f"s{number}"))
        assert (state(deliveries)["waiting"], state(deliveries)["dropped"]) == (100, 51)
        sender.go.set()
        wait_for(lambda: state(deliveries)["sent"] == 101)
    assert sender.sent[1].subject == "bad"
    assert sender.sent[-1].subject == "s149"
    dropped = [row.alert.subject for row in Record(tmp_path).read() if row.state is State.DROPPED]
    assert dropped == [f"s{number}" for number in range(51)]


def test_the_same_is_held_back_before_any_queue_and_counted():
    sender = Sends()
    with Deliveries([place(sender)], Clock()) as deliveries:
        for _ in range(1000):
            deliveries.tell(alert())
        deliveries.tell(alert(severity=Severity.CRITICAL))
        wait_for(lambda: state(deliveries)["sent"] == 2)
        assert deliveries.snapshot()["held_back"] == 999
    assert sender.sent[1].again == 999


def test_the_latest_that_was_told_is_known_newest_first_and_repetitions_are_not(tmp_path):
    record = Record(tmp_path)
    with Deliveries([place(Sends())], Clock(), record=record) as deliveries:
        for subject in ("a", "b", "a"):
            deliveries.tell(alert(subject))
        assert [each["subject"] for each in deliveries.snapshot()["recent"]] == ["b", "a"]
    with Deliveries([place(Sends(), name="p"), place(Sends(), name="q")], Clock(), record=record) as deliveries:
        deliveries.tell(alert("c"))
        assert [each["subject"] for each in deliveries.snapshot()["recent"]] == ["c", "b", "a"]


def test_more_than_the_hourly_bound_is_counted():
    with Deliveries([place(Sends())], Clock(), quiet=Quiet(most_per_hour=3)) as deliveries:
        for number in range(10):
            deliveries.tell(alert(f"s{number}"))
        assert deliveries.snapshot()["too_many"] == 7


def test_a_place_gets_what_it_wants():
    mild, grave = Sends(), Sends()
    places = [place(mild, "mild"), place(grave, "grave", least=Severity.CRITICAL)]
    with Deliveries(places, Clock()) as deliveries:
        deliveries.tell(alert())
        deliveries.tell(alert(severity=Severity.CRITICAL))
        wait_for(lambda: len(mild.sent) == 2)
    assert [each.severity for each in grave.sent] == [Severity.CRITICAL]


def test_a_restart_repeats_nothing_that_was_told(tmp_path):
    for _ in range(2):
        sender = Sends()
        with Deliveries([place(sender)], Clock(), record=Record(tmp_path)) as deliveries:
            deliveries.tell(alert())
    assert sender.sent == []


def test_what_did_not_get_there_is_told_after_a_restart(tmp_path):
    with Deliveries([place(Sends(fails(again=False)))], Clock(), record=Record(tmp_path)) as deliveries:
        deliveries.tell(alert())
    sender = Sends()
    with Deliveries([place(sender)], Clock(), record=Record(tmp_path)) as deliveries:
        deliveries.tell(alert())
    assert len(sender.sent) == 1


def test_a_stop_ends_the_pauses_between_tries_and_delivers_what_waits_once():
    sender = Sends(fails(), fails())
    with Deliveries([place(sender)], Clock(), retries=Retries(first=600.0, most=600.0), quiet=OPEN) as deliveries:
        deliveries.tell(alert("a"))
        wait_for(lambda: sender.tries == 1)
        deliveries.tell(alert("b"))
        deliveries.tell(alert("c"))
    assert sender.tries == 3
    assert [each.subject for each in sender.sent] == ["c"]
    assert state(deliveries)["failed"] == 2


def test_a_stop_waits_for_nobody_who_hangs_and_says_what_was_left(tmp_path, monkeypatch):
    monkeypatch.setattr("underspend.integrations.alerts.deliver._CLOSE_SECONDS", 0.1)
    sender = Sends()
    sender.go.clear()
    with Deliveries([place(sender)], Clock(), quiet=OPEN, record=Record(tmp_path)) as deliveries:
        deliveries.tell(alert("under way"))
        wait_for(lambda: state(deliveries)["waiting"] == 0)
        deliveries.tell(alert("left"))
    assert state(deliveries)["dropped"] == 1
    (row,) = [row for row in Record(tmp_path).read() if row.state is State.DROPPED]
    assert (row.alert.subject, row.error) == ("left", "the gateway stopped first")
    sender.go.set()


def test_a_record_that_cannot_be_written_stops_no_delivery(tmp_path):
    faults, sender = [], Sends()
    record = Record(tmp_path / "none")
    with Deliveries([place(sender)], Clock(), record=record, on_fault=lambda *each: faults.append(each)) as deliveries:
        deliveries.tell(alert())
        wait_for(lambda: bool(faults))
    assert len(sender.sent) == 1
    assert faults == [("alerts", "what was sent cannot be written down (No such file or directory)")]


@given(st.integers(1, 200), st.floats(0, 1))
def test_pauses_grow_to_their_most_and_half_is_left_to_chance(tried, chance):
    retries = Retries()
    pause = retries.pause(tried, chance)
    whole = min(retries.most, retries.first * 2 ** (tried - 1))
    assert whole / 2 <= pause <= whole


@given(st.integers(1, 200), st.floats(0, 1), st.integers(0, 300))
def test_a_pause_is_never_shorter_than_the_server_asks_for(tried, chance, after):
    retries = Retries()
    assert retries.pause(tried, chance, after) == max(after, retries.pause(tried, chance))

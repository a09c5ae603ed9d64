import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.gateway.circuits import Circuits, State

KEY = ("openai", "key", "model")


class Clock:
    def __init__(self):
        self.at = 0

    def now(self):
        return self.at

    def sleep(self, seconds):
        self.at += int(seconds * 1_000_000)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def circuits(clock):
    return Circuits(clock, failures=3, open_seconds=30)


def fail(circuits, times=3, **said):
    for _ in range(times):
        circuits.failed(KEY, **said)


def test_it_opens_after_so_many_failures_in_a_row(circuits):
    fail(circuits, 2)
    assert circuits.enter(KEY)
    circuits.succeeded(KEY)
    fail(circuits, 2)
    assert circuits.state(KEY) is State.CLOSED
    fail(circuits, 1)
    assert circuits.state(KEY) is State.OPEN
    assert not circuits.enter(KEY)
    assert circuits.open_now() == [KEY]


def test_other_targets_are_not_its_concern(circuits):
    fail(circuits)
    assert circuits.enter(("openai", "another key", "model"))


def test_after_a_while_one_call_may_try(circuits, clock):
    fail(circuits)
    clock.sleep(30)
    assert circuits.state(KEY) is State.HALF_OPEN
    assert circuits.enter(KEY)
    assert not circuits.enter(KEY), "one only"
    circuits.succeeded(KEY)
    assert circuits.state(KEY) is State.CLOSED


def test_a_trial_that_fails_opens_it_again_at_once(circuits, clock):
    fail(circuits)
    clock.sleep(30)
    circuits.enter(KEY)
    circuits.failed(KEY)
    assert circuits.state(KEY) is State.OPEN
    clock.sleep(29)
    assert not circuits.enter(KEY)
    clock.sleep(1)
    assert circuits.enter(KEY)


def test_a_trial_that_goes_away_leaves_the_place_to_the_next(circuits, clock):
    fail(circuits)
    clock.sleep(30)
    circuits.enter(KEY)
    circuits.left(KEY)
    assert circuits.enter(KEY)
    circuits.left(("never", "heard", "of"))


def test_the_provider_s_own_word_opens_it_at_once_for_as_long(circuits, clock):
    circuits.failed(KEY, retry_after=120)
    clock.sleep(119)
    assert not circuits.enter(KEY)
    clock.sleep(1)
    assert circuits.enter(KEY)


@given(st.lists(st.sampled_from(["fail", "succeed", "enter", "leave", "wait"]), max_size=60))
def test_no_circuit_stays_shut_for_ever(steps):
    clock = Clock()
    circuits = Circuits(clock, failures=2, open_seconds=10)
    for step in steps:
        match step:
            case "fail":
                circuits.failed(KEY)
            case "succeed":
                circuits.succeeded(KEY)
            case "enter" if circuits.enter(KEY):
                circuits.left(KEY)
            case "leave":
                circuits.left(KEY)
            case "wait":
                clock.sleep(3)
    clock.sleep(11)
    assert circuits.enter(KEY)


def test_so_many_targets_are_remembered_and_no_more(circuits, monkeypatch):
    monkeypatch.setattr("underspend.gateway.circuits._MOST", 3)
    for number in range(10):
        circuits.failed(("p", "", str(number)), retry_after=60)
    assert len(circuits.open_now()) == 3

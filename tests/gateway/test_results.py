"""Tasks under way, and the results that they end in."""

import pytest

from underspend.core.signs import Sign
from underspend.gateway.learning import Learning
from underspend.gateway.results import Task, Tasks
from underspend.routing.beliefs import Arm
from underspend.routing.knowledge import Knowledge

HAIKU, OPUS = Arm("claude-haiku-5-5"), Arm("claude-opus-5-5")
MINUTE = 60_000_000


def task(**changes):
    return Task(**{"name": "title", "features": (2,), "arm": HAIKU, "instead_of": OPUS, "lasts": True, **changes})


@pytest.fixture
def tasks():
    made = Tasks(Learning(Knowledge()))
    made.learned = []
    made._learning.learn = made.learned.append
    return made


def test_a_turns_cost_is_the_bill_of_all_its_calls_and_the_last_word_counts(tasks):
    one = task()
    tasks.begin("s", one)
    one.note(frozenset({Sign.CHECK_FAILED}))
    tasks.settled("s", one, "c1", 10, MINUTE)
    one.note(frozenset({Sign.CHECK_PASSED}))
    one.note(frozenset())
    tasks.settled("s", one, "c2", 5, 2 * MINUTE)
    tasks.begin("s", task())
    (result,) = tasks.learned
    assert (result.quality, result.cost, result.at, result.arm, result.instead_of) == (1, 15, 2 * MINUTE, HAIKU, OPUS)


def test_a_call_that_belongs_to_no_session_is_a_task_of_its_own(tasks):
    one = task(lasts=False)
    tasks.begin("s", one)
    one.note(frozenset({Sign.REFUSED}))
    tasks.settled("s", one, "c1", 10, MINUTE)
    assert [each.quality for each in tasks.learned] == [0]
    assert tasks.of("s") is None
    assert tasks.of_call("c1") is one


def test_of_a_task_of_which_nothing_was_seen_nothing_is_learned(tasks):
    tasks.begin("s", task())
    tasks.end_all()
    assert tasks.learned == []


def test_a_slot_that_has_been_silent_for_half_an_hour_has_ended(tasks):
    first, second = task(), task()
    for name, each in (("a", first), ("b", second)):
        tasks.begin(name, each)
        each.note(frozenset({Sign.REJECTED}))
    tasks.settled("a", first, "c1", 1, MINUTE)
    tasks.settled("b", second, "c2", 1, 20 * MINUTE)
    assert tasks.learned == []
    tasks.settled("b", second, "c3", 1, 32 * MINUTE)
    assert len(tasks.learned) == 1
    assert tasks.of("a") is None


def test_what_is_remembered_is_bounded(tasks, monkeypatch):
    monkeypatch.setattr("underspend.gateway.results._MOST_TASKS", 3)
    monkeypatch.setattr("underspend.gateway.results._MOST_CALLS", 3)
    for n in range(10):
        one = task()
        tasks.begin(str(n), one)
        tasks.settled(str(n), one, f"c{n}", 1, n)
    assert [tasks.of(str(n)) is not None for n in range(10)] == [False] * 7 + [True] * 3
    assert [tasks.of_call(f"c{n}") is not None for n in range(10)] == [False] * 7 + [True] * 3

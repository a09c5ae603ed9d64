"""What is learned outlives the gateway, is written by a thread, and never stops it."""

import pytest
from sqlalchemy.exc import OperationalError

from underspend.core.engine import Step
from underspend.core.strategy import State
from underspend.gateway import learning as module
from underspend.gateway.learning import Learning, learned
from underspend.routing.beliefs import Arm, Result
from underspend.routing.knowledge import Knowledge
from underspend.stores.database import open_database
from underspend.stores.routing import RoutingRows
from underspend.strategies.auto_model import AutoModel

ARM = Arm("claude-haiku-5-5")
STEPS = (Step(AutoModel(epsilon_percent=3, delta_percent=20), State.SHADOW),)


def result(n=0, **changes):
    made = {"task": "title", "arm": ARM, "quality": 1.0, "cost": 10**9, "at": n, "features": (2, 5, 8 + n)}
    return Result(**{**made, **changes})


@pytest.fixture
def rows(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/ledger.sqlite3")
    yield RoutingRows(engine)
    engine.dispose()


def faults():
    said = []
    return said, lambda *fault: said.append(fault)


def test_what_was_learned_is_there_after_a_restart(rows):
    with learned(rows, STEPS, print) as made:
        for n in range(30):
            made.learn(result(n))
        made.learn(result(40, randomised=True))
    again = learned(rows, STEPS, print)
    assert sorted(again.knowledge.rows()) == sorted(made.knowledge.rows())
    assert (again.knowledge.promise.epsilon, again.knowledge.promise.delta) == (0.03, 0.2)


def test_only_what_has_changed_is_written_again(rows, monkeypatch):
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.01)
    with learned(rows, STEPS, print) as made:
        made.learn(result(1))
    written = []
    keep = rows.keep
    rows.keep = lambda some, gone=(): (written.extend(some), keep(some, gone))
    with learned(rows, STEPS, print) as made:
        for n in range(2, 4):
            made.learn(result(n))
    assert sum(row.kind == "lesson" for row in written) == 2
    assert sorted(learned(rows, STEPS, print).knowledge.rows()) == sorted(made.knowledge.rows())


def test_lessons_that_are_forgotten_are_removed(rows, monkeypatch):
    monkeypatch.setattr(module, "MOST_LESSONS", 5)
    with learned(rows, STEPS, print) as made:
        for n in range(5):
            made.learn(result(n))
    with learned(rows, STEPS, print) as made:
        for n in range(5, 8):
            made.learn(result(n))
    assert [row.key[-1] for row in rows.load() if row.kind == "lesson"] == ["3", "4", "5", "6", "7"]


class Down:
    def load(self):
        raise OperationalError("select", {}, Exception("down"))

    keep = load


def test_a_store_that_is_down_is_said_and_stops_nothing():
    said, fault = faults()
    Down.keep = lambda self, rows, gone=(): self.load()
    with learned(Down(), STEPS, fault) as made:
        made.learn(result())
    assert made.knowledge.taught == 1
    assert [component for component, _ in said] == ["routing", "routing"]


def test_a_result_that_cannot_be_learned_costs_no_others(rows):
    said, fault = faults()
    with learned(rows, STEPS, fault) as made:
        made.learn(result(features=(1 << 30,)))
        made.learn(result(7))
    assert made.knowledge.taught >= 1
    assert said


def test_too_many_waiting_results_are_let_go(monkeypatch):
    monkeypatch.setattr(module, "_MOST_WAITING", 1)
    said, fault = faults()
    made = Learning(Knowledge(), on_fault=fault)
    made._thread = object()
    made.learn(result())
    made.learn(result())
    assert "too many" in said[0][1]


def test_a_call_is_judged_once_even_after_a_restart(rows):
    with learned(rows, STEPS, print) as made:
        assert not made.is_told("c1")
        made.tell("c1", 1.0)
        assert made.is_told("c1")
    assert learned(rows, STEPS, print).is_told("c1")


def test_what_was_judged_longest_ago_is_forgotten_in_the_end(rows, monkeypatch):
    monkeypatch.setattr(module, "_MOST_FEEDBACK", 2)
    with learned(rows, STEPS, print) as made:
        for n in range(4):
            made.tell(f"c{n}", 0.5)
    again = learned(rows, STEPS, print)
    assert [again.is_told(f"c{n}") for n in range(4)] == [False, False, True, True]


def test_what_is_known_no_more_is_removed(rows):
    with learned(rows, STEPS, print) as made:
        made.learn(result(1))
        made.learn(result(2, arm=Arm("claude-opus-5-5")))
    with learned(rows, STEPS, print) as made:
        made.knowledge.statistics.forget(ARM)
        made.learn(result(3, arm=Arm("claude-opus-5-5")))
    assert not [row for row in rows.load() if row.kind == "tally" and "haiku" in row.key]

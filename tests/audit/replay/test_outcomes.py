from audit.calls_in_a_row import MINUTE
from audit.replay.policies import Model, Nothing, cost_of, on, steady
from core.calls import call
from underspend.audit.replay.outcomes import Outcomes, Turn
from underspend.audit.replay.play import play
from underspend.core.call import Identity
from underspend.core.plan import Plan
from underspend.core.slots import Failure
from underspend.routing.beliefs import Arm

HOUR = 60 * MINUTE


class Unknowing:
    def belief(self, task, features, arm):
        raise AssertionError

    certificate = belief


def listening():
    heard: list[Turn] = []
    return Outcomes(knowing=Unknowing(), learn=heard.append), heard


def plan(turn, at, sent="cheap"):
    asked = call(time=at, identity=Identity(turn=turn), kind="main")
    return Plan(asked=asked, call=call(time=at, model=sent, kind="main"))


def test_a_turn_is_heard_of_when_the_next_begins():
    outcomes, heard = listening()
    outcomes.add(1, plan("a", 0), 5)
    outcomes.add(1, plan("a", MINUTE), 6)
    assert heard == []
    outcomes.add(1, plan("b", 2 * MINUTE), 7)
    (turn,) = heard
    assert (turn.name, turn.task, turn.cost, turn.began, turn.ended) == ("a", "main", 11, 0, MINUTE)
    assert (turn.arm, turn.asked) == (Arm("cheap"), Arm("dear"))


def test_or_is_about_to():
    outcomes, heard = listening()
    outcomes.add(1, plan("a", 0), 5)
    assert outcomes.before(1, plan("a", MINUTE).asked) is outcomes.knowing
    assert heard == []
    outcomes.before(1, plan("b", MINUTE).asked)
    assert [turn.row for turn in heard] == [1]
    outcomes.add(1, plan("b", MINUTE), 6)
    assert len(heard) == 1


def test_a_failure_stays_with_its_conversation():
    failed = Failure("it failed", at=7)
    outcomes = Outcomes(knowing=Unknowing(), learn=lambda turn: failed if turn.name == "a" else None)
    for row, name in ((1, "a"), (1, "b"), (1, "c"), (2, "b"), (2, "c")):
        outcomes.add(row, plan(name, 0), 5)
    assert outcomes.failures == {1: (failed,)}


def test_or_after_an_hour_of_silence():
    outcomes, heard = listening()
    outcomes.add(1, plan("a", 0), 5)
    outcomes.add(1, plan("a", 30 * MINUTE), 5)
    assert outcomes.until(HOUR) is outcomes.knowing
    assert heard == []
    outcomes.until(90 * MINUTE)
    assert [turn.cost for turn in heard] == [10]


def test_another_model_is_another_turns_work():
    outcomes, heard = listening()
    outcomes.add(1, plan("a", 0), 5)
    outcomes.add(1, plan("a", 1, sent="dear"), 6)
    assert [(turn.arm.model, turn.cost) for turn in heard] == [("cheap", 5)]


def test_conversations_do_not_mix():
    outcomes, heard = listening()
    outcomes.add(1, plan("a", 0), 5)
    outcomes.add(2, plan("b", 1), 6)
    outcomes.until(HOUR + 1)
    assert sorted(turn.cost for turn in heard) == [5, 6]


def test_what_is_learned_is_what_the_replayed_world_cost():
    made = steady()
    for policy in (on(Nothing()), on(Model(to="claude-haiku-5-5"))):
        outcomes, heard = listening()
        played = play(made, policy, outcomes=outcomes)
        outcomes.until(made.calls[-1].recorded.call.time + 2 * HOUR)
        assert sum(turn.cost for turn in heard) == cost_of(made, played)

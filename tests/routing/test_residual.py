import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.routing.beliefs import Asked
from underspend.routing.features import SPACE, features
from underspend.routing.residual import Contest, Residual, active, chance, log_odds

EASY, HARD = features(Asked(text="an easy question")), features(Asked(text="a thorny riddle", tools=3))


def learned(rounds=200):
    model = Residual()
    for _ in range(rounds):
        model.learn(active(EASY, "chat"), 0.0, 1.0)
        model.learn(active(HARD, "chat"), 0.0, 0.0)
    return model


@given(st.floats(0.002, 0.998))
def test_odds_and_chances_are_inverse(rate):
    assert chance(log_odds(rate)) == pytest.approx(rate)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_certainty_has_finite_odds(rate):
    assert abs(log_odds(rate)) < 10


def test_it_begins_as_nothing():
    assert Residual().adds(active(EASY, "chat")) == 0.0


def test_it_learns_which_features_go_with_success():
    model = learned()
    assert model.adds(active(EASY, "chat")) > 0.5
    assert model.adds(active(HARD, "chat")) < -0.5


def test_what_the_class_already_says_is_not_learned():
    model = Residual()
    for _ in range(200):
        model.learn(active(EASY, "chat"), log_odds(0.998), 1.0)
    assert abs(model.adds(active(EASY, "chat"))) < 0.3


def test_part_of_it_is_the_classes_own():
    model = learned()
    assert model.adds(active(EASY, "chat")) > model.adds(active(EASY, "maths/formal")) > 0


@given(st.lists(st.integers(0, SPACE - 1), max_size=50), st.text(max_size=20))
def test_weights_are_within_bounds(found, task):
    task_weights = active(tuple(found), task)
    assert all(0 <= one < SPACE for one in (*task_weights.shape, *task_weights.words))


def test_a_dump_is_loaded_as_it_was():
    model = learned(20)
    assert Residual.load(model.dump()) == model
    assert len(model.dump()) < 20_000


@pytest.mark.parametrize("text", ["", "nonsense", "~~~"])
def test_what_is_no_dump_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        Residual.load(text)


def test_a_contest_is_won_by_foretelling_better():
    contest = Contest()
    for _ in range(19):
        contest.see(0.5, 0.9, 1.0)
    assert not contest.won
    contest.see(0.5, 0.9, 1.0)
    assert contest.won


def test_a_contest_is_lost_by_foretelling_no_better():
    contest, luck = Contest(), random.Random(3)
    for _ in range(300):
        contest.see(0.5, luck.choice((0.3, 0.7)), float(luck.random() < 0.5))
    assert not contest.won


def test_differences_between_arms_are_compared_by_squared_errors():
    contest = Contest()
    contest.compare(0.5, 1.0, 1.0)
    assert (contest.lead, contest.results) == (0.25, 1)
    contest.compare(0.5, 0.0, 1.0, weight=0.5)
    assert contest.lead < 0

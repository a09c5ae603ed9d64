"""The speed of spending, by rank against the past."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.steps_in_a_row import DOLLAR
from underspend.core.evidence import Evidence
from underspend.core.velocity import DAY, Pace, Velocity
from underspend.core.verdict import Level

PACE = Pace()
STRETCH = PACE.stretch


def after(amounts, pace=PACE):
    """A velocity that remembers a stretch for each amount, the next stretch about to begin."""
    made = Velocity(pace)
    for number, amount in enumerate(amounts):
        made.remember(amount, number * STRETCH)
    return made, len(amounts) * STRETCH


def test_nothing_is_said_while_the_past_is_short():
    made, now = after([DOLLAR] * 99)
    assert made.spend(1000 * DOLLAR, now) is None
    assert made.standing() is None


def test_a_stretch_three_times_the_usual_is_told_with_how_sure_that_is():
    made, now = after([2 * DOLLAR] * 200)
    assert made.spend(5 * DOLLAR, now) is None
    verdict = made.spend(DOLLAR, now + 1)
    assert verdict is not None
    assert (verdict.level, verdict.dollars) == (Level.WARN, 6 * DOLLAR)
    assert verdict.words == (
        "$6.00 within 10 minutes. 95 of 100 such stretches with spending of the last 28 days cost at most $2.00; none "
        "before cost as much (if nothing had changed, the chance of that would be 1 in 201)."
    )


def test_ten_times_the_usual_should_pause():
    made, now = after([2 * DOLLAR] * 200)
    verdict = made.spend(20 * DOLLAR, now, Evidence.ESTIMATED)
    assert verdict is not None
    assert (verdict.level, verdict.evidence) == (Level.PAUSE, Evidence.ESTIMATED)


def test_small_amounts_are_never_told():
    made, now = after([DOLLAR // 100] * 200)
    assert made.spend(PACE.floor - 1, now) is None
    assert made.spend(1, now) is not None


def test_a_user_who_often_spends_so_much_is_left_alone():
    made, now = after([DOLLAR] * 97 + [50 * DOLLAR] * 3)
    assert made.spend(45 * DOLLAR, now) is None


def test_the_past_is_forgotten_after_what_is_kept():
    made, _ = after([100 * DOLLAR] * 150)
    later = 29 * DAY
    for number in range(100):
        made.remember(DOLLAR, later + number * STRETCH)
    made.remember(0, later + 101 * STRETCH)
    standing = made.standing()
    assert standing is not None
    assert (standing.of, standing.usual) == (100, DOLLAR)


def test_a_clock_that_was_set_back_stays_in_its_stretch():
    made, now = after([2 * DOLLAR] * 200)
    assert made.spend(3 * DOLLAR, now) is None
    assert made.spend(3 * DOLLAR, 0) is not None


@given(st.lists(st.integers(1, 10**14), min_size=100, max_size=130), st.integers(0, 10**15))
def test_the_standing_is_what_sorting_says(amounts, spent):
    made, now = after(amounts)
    made.remember(spent, now)
    standing = made.standing()
    assert standing is not None
    assert standing.as_much == sum(amount >= spent for amount in amounts)
    assert standing.usual in amounts
    assert sum(amount <= standing.usual for amount in amounts) * 100 >= 95 * len(amounts)
    assert standing.chance == Fraction(standing.as_much + 1, len(amounts) + 1)


@pytest.mark.parametrize("spread", [1, 2, 3])
def test_of_stretches_like_those_before_fewer_than_1_in_300_are_told(spread):
    """Heavy tails: each amount is 2 to a bell curve's power. 20,000 stretches, 48 a day."""
    draw, made, told = random.Random(6), Velocity(Pace(floor=0)), 0
    for number in range(20_000):
        at = number // 48 * DAY + number % 48 * STRETCH
        told += made.spend(int(2 ** draw.gauss(0, spread) * DOLLAR), at) is not None
    assert told <= 20_000 // 300


@pytest.mark.parametrize("given_", [{"stretch": 0}, {"keep": 1}, {"least": 0}, {"warn": 11}])
def test_a_pace_that_cannot_be_meant_is_refused(given_):
    with pytest.raises(ValueError, match="pace"):
        Pace(**given_)

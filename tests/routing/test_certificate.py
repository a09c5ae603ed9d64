import random
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underspend.routing.certificate import (
    THRESHOLDS,
    Promised,
    at_most,
    at_most_here,
    drop_bound,
    is_ruled_out,
    learn_then_test,
    lower_bound,
    most_regrets,
    results_needed,
    upper_bound,
)


def exactly(successes, trials, chance):
    """The binomial sum in fractions: nothing is rounded."""
    return sum(comb(trials, hit) * chance**hit * (1 - chance) ** (trials - hit) for hit in range(successes + 1))


@given(st.integers(1, 60), st.data())
def test_the_binomial_sum_is_exact(trials, data):
    successes = data.draw(st.integers(0, trials))
    chance = Fraction(data.draw(st.integers(1, 99)), 100)
    assert at_most(successes, trials, float(chance)) == pytest.approx(
        float(exactly(successes, trials, chance)), abs=1e-11
    )


@pytest.mark.parametrize(
    ("arguments", "value"), [((-1, 5, 0.1), 0.0), ((5, 5, 0.1), 1.0), ((2, 5, 0.0), 1.0), ((2, 5, 1.0), 0.0)]
)
def test_the_binomial_sum_at_its_ends(arguments, value):
    assert at_most(*arguments) == value


@given(st.integers(1, 80), st.data(), st.sampled_from([0.05, 0.1, 0.2]))
def test_the_upper_bound_is_where_so_few_become_as_rare_as_delta(trials, data, delta):
    successes = data.draw(st.integers(0, trials - 1))
    assert at_most(successes, trials, upper_bound(successes, trials, delta)) == pytest.approx(delta, rel=1e-6)


def test_published_bounds():
    """Clopper and Pearson's own: 0 of 10 at 95 % one-sided is 1 − 0.05^(1/10), and both sides mirror."""
    assert upper_bound(0, 10, 0.05) == pytest.approx(1 - 0.05**0.1)
    assert upper_bound(10, 10, 0.05) == 1.0
    assert lower_bound(10, 10, 0.05) == pytest.approx(0.05**0.1)
    assert lower_bound(0, 0, 0.05) == 0.0
    assert upper_bound(3, 20, 0.025) == pytest.approx(0.3789268)


PROMISES = st.builds(
    Promised, st.sampled_from([0.01, 0.02, 0.05, 0.2]), st.sampled_from([0.05, 0.1]), st.sampled_from([0, 50, 1_000])
)


@given(st.integers(1, 40), st.integers(0, 40), st.data())
def test_the_chance_of_so_few_here_is_exact(here, to_come, data):
    among = data.draw(st.integers(0, here + to_come))
    successes = data.draw(st.integers(0, here))
    ways = sum(comb(here, hit) * comb(to_come, among - hit) for hit in range(min(successes, among) + 1))
    assert at_most_here(successes, here, to_come, among) == pytest.approx(ways / comb(here + to_come, among), abs=1e-9)


@given(st.integers(1, 400), PROMISES)
def test_so_many_regrets_are_allowed_and_no_more(results, promised):
    most = most_regrets(results, promised)
    assert most < 0 or is_ruled_out(most, results, promised)
    assert not is_ruled_out(most + 1, results, promised)


def test_nothing_is_allowed_without_results():
    assert most_regrets(0, Promised(0.02, 0.1)) == -1


def test_tasks_to_come_only_make_it_stricter():
    assert most_regrets(1_000, Promised(0.05, 0.1)) < most_regrets(1_000, Promised(0.05, 0.1, to_come=0))


@given(st.integers(0, 6), st.integers(6, 200), PROMISES)
def test_so_many_results_are_needed_and_no_fewer(regrets, results, promised):
    more = results_needed(regrets, results, promised)
    assert is_ruled_out(regrets, results + more, promised)
    assert more == 0 or not is_ruled_out(regrets, results + more - 1, promised)


def test_two_percent_takes_114_results_without_a_regret():
    assert results_needed(0, 0, Promised(0.02, 0.1, to_come=0)) == 114


def test_the_sequence_of_thresholds_is_from_nothing_to_everything():
    assert THRESHOLDS[0] == 1.0
    assert THRESHOLDS[-1] == -1.0
    assert list(THRESHOLDS) == sorted(THRESHOLDS, reverse=True)


def test_it_stops_at_the_first_threshold_that_fails():
    points = [(0.5, False)] * 200 + [(0.0, True)] * 20 + [(-0.5, False)] * 300
    tested = learn_then_test(points, Promised(0.02, 0.1))
    assert tested.threshold == pytest.approx(0.01)
    assert (tested.share, tested.regrets) == (200 / 520, 0)
    assert tested.bound <= 0.02


@pytest.mark.parametrize("points", [[], [(0.5, False)] * 100, [(0.5, True)] * 500])
def test_what_cannot_be_ruled_out_is_not_certified(points):
    assert learn_then_test(points, Promised(0.02, 0.1)).threshold is None


def test_everything_is_routed_where_nothing_is_done_worse():
    tested = learn_then_test([(-1.0, False)] * 200, Promised(0.02, 0.1))
    assert (tested.threshold, tested.share) == (-1.0, 1.0)


@pytest.mark.parametrize("size", [100, 300, 1_000])
@pytest.mark.parametrize("epsilon", [0.02, 0.05])
def test_the_promise_is_broken_no_more_often_than_delta(size, epsilon):
    """A world where regrets become likelier as scores fall: the true rate of each threshold is known."""
    rounds, delta, chance = 400, 0.1, random.Random(5)
    broken = 0
    for _ in range(rounds):
        points = [(score, chance.random() < 0.2 * (1 - score)) for score in (chance.random() for _ in range(size))]
        threshold = learn_then_test(points, Promised(epsilon, delta)).threshold
        if threshold is not None:
            broken += 0.1 * (1 - max(0.0, threshold)) ** 2 > epsilon
    assert broken <= 0.135 * rounds  # δ and two standard errors of 400 rounds


@settings(max_examples=50)
@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_a_drop_is_bounded_by_both_sides(results, instead, data):
    done, done_instead = data.draw(st.integers(0, results)), data.draw(st.integers(0, instead))
    bound = drop_bound((done, results), (done_instead, instead), 0.1)
    assert max(0.0, done_instead / instead - done / results) <= bound <= 1.0


def test_a_drop_is_unknown_without_results():
    assert drop_bound((0, 0), (5, 5), 0.1) == 1.0

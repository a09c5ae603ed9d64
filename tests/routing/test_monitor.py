import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.routing.monitor import Monitor


def first_alarm(rate, epsilon, seed, results):
    chance, monitor = random.Random(seed), Monitor(epsilon)
    return next((seen for seen in range(results) if monitor.see(float(chance.random() < rate))), None)


@pytest.mark.parametrize("epsilon", [0.02, 0.05])
def test_false_alarms_are_no_more_than_alpha_at_any_time(epsilon):
    alarms = [first_alarm(epsilon, epsilon, seed, 1_500) for seed in range(400)]
    assert sum(alarm is not None for alarm in alarms) <= 0.05 * 400


def test_a_rate_of_five_times_the_promise_is_found_soon():
    alarms = sorted(first_alarm(0.10, 0.02, seed, 2_000) or 2_000 for seed in range(60))
    assert alarms[30] < 150
    assert alarms[-1] < 1_000


def test_a_kept_promise_is_not_revoked():
    assert first_alarm(0.005, 0.02, 1, 5_000) is None


@given(st.floats(0.001, 0.5))
def test_under_the_promise_a_bet_gains_nothing_on_average(epsilon):
    worse, well = Monitor(epsilon), Monitor(epsilon)
    worse.see(1.0)
    well.see(0.0)
    assert epsilon * worse.evidence + (1 - epsilon) * well.evidence == pytest.approx(1.0)


def test_an_alarm_stays():
    monitor = Monitor(0.02)
    while not monitor.see(1.0):
        pass
    for _ in range(1_000):
        monitor.see(0.0)
    assert monitor.alarmed
    assert monitor.results > 1_000


@pytest.mark.parametrize("epsilon", [0.0, -0.1, 0.95, 1.0])
def test_what_is_no_rate_is_refused(epsilon):
    with pytest.raises(ValueError, match="cannot be watched"):
        Monitor(epsilon)

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.tighter import passing, tighter

PAST = st.lists(st.tuples(st.integers(1, 10**15), st.integers(0, 10**15)), max_size=300)


def test_few_calls_say_nothing() -> None:
    assert tighter(1_000, [(100, 1)] * 98) == 1_000
    assert tighter(1_000, [(100, 1)] * 99) == 10
    assert tighter(1_000, []) == 1_000
    assert tighter(1_000, [(0, 0)] * 500) == 1_000


def test_it_is_the_share_that_nearly_all_stayed_within() -> None:
    past = [(100, n) for n in range(1, 100)]
    assert tighter(1_000, past, within=(1, 2)) == 500
    assert tighter(1_000, past, within=(9, 10)) == 900
    assert tighter(1_000, [(100, 150)] * 99) == 1_000, "never above the worst case"


@given(PAST, st.integers(0, 10**16), st.sampled_from([(1, 2), (9, 10), (99, 100)]))
def test_so_many_of_the_past_as_were_asked_for_would_have_fitted(
    past: list[tuple[int, int]], worst: int, within: tuple[int, int]
) -> None:
    reserve = tighter(worst, past, within=within)
    assert 0 <= reserve <= worst
    if reserve < worst:
        fitted = sum(Fraction(actual, most) * worst <= reserve for most, actual in past)
        assert fitted * within[1] >= len(past) * within[0]


def test_of_calls_like_those_before_no_more_pass_their_reserve_than_was_said() -> None:
    """Every order of the same calls is as likely, so each was the newcomer once: few of them may have passed."""
    costs = [(10_000, (n * 7_919) % 5_003) for n in range(400)]
    passed = 0
    for at, (worst, actual) in enumerate(costs):
        passed += actual > tighter(worst, costs[:at] + costs[at + 1 :], within=(95, 100))
    assert 0 < passed <= len(costs) * 5 // 100


@pytest.mark.parametrize(("calls", "by"), [([], 0), ([(100, 40), (50, 50)], 60), ([(10, 20)], 0)])
def test_how_far_calls_in_flight_can_go_is_the_sum_of_what_was_not_reserved(
    calls: list[tuple[int, int]], by: int
) -> None:
    assert passing(calls) == by

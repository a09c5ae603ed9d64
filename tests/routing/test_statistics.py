import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.routing.beliefs import Arm
from underspend.routing.statistics import Statistics, prior

CHEAP, DEAR, ODD = Arm("claude-haiku-9"), Arm("claude-opus-9"), Arm("llama-9")


def taught(*results):
    statistics = Statistics()
    for task, arm, quality, cost in results:
        statistics.add(task, arm, quality, cost)
    return statistics


def test_without_results_there_is_a_weak_prior_by_tier_and_class():
    assert prior(CHEAP.model, "extraction")[0] > prior(CHEAP.model, "maths/formal")[0]
    assert prior(DEAR.model, "maths/formal")[0] > prior(CHEAP.model, "maths/formal")[0]
    assert prior(ODD.model, "maths/formal") == prior(ODD.model, "extraction")
    assert Statistics().belief("extraction", CHEAP).results == 0
    assert Statistics().belief("extraction", CHEAP).cost is None


def test_the_users_results_soon_outweigh_the_prior():
    statistics = taught(*[("extraction", CHEAP, 0.0, 5)] * 30)
    assert statistics.rate("extraction", CHEAP) < 0.1


def test_a_class_without_results_leans_on_its_coarse_one():
    statistics = taught(*[("maths/formal", CHEAP, 0.0, 5)] * 50, *[("extraction", CHEAP, 1.0, 5)] * 50)
    assert (
        statistics.rate("maths/proof", CHEAP) < statistics.rate("writing", CHEAP) < statistics.rate("extraction", CHEAP)
    )


def test_arms_and_efforts_are_apart():
    statistics = taught(*[("chat", Arm("m", "low"), 0.0, 5)] * 50)
    assert statistics.rate("chat", Arm("m", "high")) == Statistics().rate("chat", Arm("m", "high"))


@given(st.lists(st.floats(0, 1), max_size=30))
def test_a_rate_is_between_nothing_and_certainty(qualities):
    statistics = taught(*[("chat", CHEAP, quality, 1) for quality in qualities])
    belief = statistics.belief("chat", CHEAP)
    assert 0 < belief.quality < 1
    assert 0 <= belief.quality_low <= belief.quality
    assert belief.results == len(qualities)


def test_more_results_narrow_the_interval():
    few, many = (taught(*[("chat", CHEAP, 1.0, 1), ("chat", CHEAP, 0.0, 1)] * count) for count in (5, 500))
    gaps = [one.belief("chat", CHEAP).quality - one.belief("chat", CHEAP).quality_low for one in (few, many)]
    assert gaps[1] < gaps[0] / 5


def test_equal_costs_are_expected_to_the_pico_dollar_and_skewed_ones_as_their_mean():
    assert taught(*[("chat", CHEAP, 1.0, 10**9)] * 9).cost("chat", CHEAP) == pytest.approx(10**9, abs=1)
    costs = [10**9, 2 * 10**9, 4 * 10**9, 8 * 10**9, 16 * 10**9]
    expected = taught(*[("chat", CHEAP, 1.0, cost) for cost in costs * 40]).cost("chat", CHEAP)
    assert expected == pytest.approx(sum(costs) / 5, rel=0.1)


def test_costs_of_an_unknown_class_are_those_of_the_arm():
    statistics = taught(*[("chat", CHEAP, 1.0, 10**9)] * 9)
    assert statistics.cost("maths/formal", CHEAP) == pytest.approx(10**9, abs=1)
    assert statistics.cost("chat", DEAR) is None


def test_a_result_without_a_cost_tells_only_quality():
    assert taught(("chat", CHEAP, 1.0, 0)).cost("chat", CHEAP) is None


def test_weights_count_less():
    whole, half = Statistics(), Statistics()
    whole.add("chat", CHEAP, 0.0, 5)
    half.add("chat", CHEAP, 0.0, 5, weight=0.5)
    assert whole.rate("chat", CHEAP) < half.rate("chat", CHEAP) < Statistics().rate("chat", CHEAP)


def test_rows_put_back_are_the_same():
    statistics, copy = taught(("maths/formal", CHEAP, 0.3, 7), ("chat", DEAR, 1.0, 9)), Statistics()
    for level, arm, sums in statistics.rows():
        copy.load(level, arm, sums)
    assert copy == statistics


def told(**classes):
    """Both arms' results: of so many tasks of each class the dear arm does all, the cheap one so many."""
    return taught(
        *[
            (task.replace("_", "/"), arm, float(arm == DEAR or place < done), 5)
            for task, (tasks, done) in classes.items()
            for place in range(tasks)
            for arm in (CHEAP, DEAR)
        ]
    )


def test_a_class_that_gains_as_its_kin_by_what_is_seen_is_not_told_from_it():
    statistics = told(maths_formal=(17, 15), maths_problem=(1_000, 900), chat=(500, 250))
    assert statistics.gain("maths/formal", DEAR, CHEAP) == statistics.gain("maths/problem", DEAR, CHEAP)
    assert statistics.gain("maths/formal", DEAR, CHEAP) < statistics.gain("chat", DEAR, CHEAP) - 0.2


def test_a_class_that_gains_otherwise_than_its_kin_is_told_from_it():
    statistics = told(maths_formal=(60, 20), maths_problem=(1_000, 900))
    rates = [statistics.rate("maths/formal", arm) for arm in (DEAR, CHEAP)]
    assert statistics.gain("maths/formal", DEAR, CHEAP) == pytest.approx(rates[0] - rates[1])


def test_a_class_that_was_never_seen_gains_what_all_do():
    statistics = told(maths_problem=(300, 200))
    assert statistics.gain("writing", DEAR, CHEAP) == statistics.gain("analysis", DEAR, CHEAP) > 0.2


def test_a_belief_holds_until_more_is_learned():
    statistics = taught(("chat", CHEAP, 1.0, 5))
    before = statistics.belief("chat", CHEAP)
    assert statistics.belief("chat", CHEAP) is before
    statistics.add("extraction", CHEAP, 0.0, 5)
    after = statistics.belief("chat", CHEAP)
    assert after == taught(("chat", CHEAP, 1.0, 5), ("extraction", CHEAP, 0.0, 5)).belief("chat", CHEAP) != before
    statistics.forget(CHEAP)
    assert statistics.belief("chat", CHEAP) == Statistics().belief("chat", CHEAP)


def test_beliefs_in_names_that_a_client_makes_up_are_not_kept_for_ever():
    statistics = Statistics()
    for number in range(9_000):
        statistics.belief(f"sub-agent/{number}", ODD)
    assert statistics.kept_beliefs < 9_000

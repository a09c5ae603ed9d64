from __future__ import annotations

import random
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underspend.core.faq import (
    MILLION,
    Calibration,
    FaqMode,
    Pair,
    TooFew,
    calibrate,
    fewest,
    holds,
    particulars,
    standing,
    upper_bound,
)

FIVE = (1, 20)
PPM = 10_000


def lower_tail(wrong: int, of: int, share: Fraction) -> Fraction:
    return sum((comb(of, n) * share**n * (1 - share) ** (of - n) for n in range(wrong + 1)), Fraction(0))


@given(st.integers(0, 12), st.integers(0, 60), st.integers(1, MILLION - 1))
def test_it_holds_just_where_the_binomial_tail_says_so(wrong, more, limit):
    of = wrong + more
    assert holds(wrong, of, limit, FIVE) == (lower_tail(wrong, of, Fraction(limit, MILLION)) <= Fraction(1, 20))


@pytest.mark.parametrize(
    ("wrong", "of", "bound"),
    # R: binom.test(wrong, of, alternative = "less")$conf.int[2]
    [(0, 59, 0.04951), (0, 299, 0.00997), (1, 100, 0.04656), (5, 100, 0.10225), (10, 10, 1.0), (0, 1, 0.95)],
)
def test_the_bound_is_clopper_and_pearsons(wrong, of, bound):
    assert upper_bound(wrong, of, FIVE) == pytest.approx(bound * MILLION, abs=10)


@given(st.integers(0, 5), st.integers(1, 80))
def test_the_bound_holds_and_nothing_tighter_does(wrong, more):
    of = wrong + more
    bound = upper_bound(wrong, of, FIVE)
    assert holds(wrong, of, bound, FIVE)
    assert not holds(wrong, of, bound - 1, FIVE)


def test_the_fewest_pairs_that_could_show_it():
    assert fewest(5 * PPM, FIVE) == 59
    assert fewest(PPM, FIVE) == 299
    assert not holds(0, 298, PPM, FIVE)


def made(n, wrong_below, *, seed=1):
    """Pairs with all similarities; below one of them most are wrong."""
    rng = random.Random(seed)
    scores = [rng.randrange(MILLION) for _ in range(n)]
    return [Pair(score, score >= wrong_below or rng.random() < 0.2) for score in scores]


def test_too_few_pairs_are_refused_with_how_many_are_needed():
    found = calibrate(made(50, 0), matcher="m", limit=5 * PPM)
    assert isinstance(found, TooFew)
    assert (found.pairs, found.needed) == (50, 113)
    assert found.why == "63 more pairs are needed at the least"
    assert isinstance(calibrate([], matcher="m", limit=PPM), TooFew)


def test_pairs_that_are_wrong_at_every_similarity_are_refused():
    found = calibrate(made(800, MILLION), matcher="m", limit=PPM)
    assert isinstance(found, TooFew)
    assert "not the same" in found.why


def test_the_threshold_is_just_above_where_answers_go_wrong():
    found = calibrate(made(2000, 600_000), matcher="m", limit=2 * PPM)
    assert isinstance(found, Calibration)
    assert 560_000 < found.threshold < 680_000
    assert found.bound <= 2 * PPM
    assert (found.matcher, found.pairs) == ("m", 2000)
    assert found.hits > 600
    assert 0 < found.found <= MILLION


def test_where_nothing_is_wrong_all_is_answered():
    pairs = made(700, 0)
    found = calibrate(pairs, matcher="m", limit=PPM)
    assert isinstance(found, Calibration)
    assert found.threshold == min(pair.score for pair in pairs)
    assert (found.hits, found.wrong, found.found) == (700, 0, MILLION)


@pytest.mark.parametrize(("limit", "confidence"), [(0, 1), (MILLION, 1), (1, 0), (1, MILLION)])
def test_a_limit_is_a_share(limit, confidence):
    with pytest.raises(ValueError, match="above 0"):
        calibrate([], matcher="m", limit=limit, confidence=confidence)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=300), st.integers(5 * PPM, 30 * PPM))
def test_a_threshold_is_never_given_that_its_own_pairs_do_not_bear_out(pairs, limit):
    found = calibrate([Pair(*pair) for pair in pairs], matcher="m", limit=limit)
    if isinstance(found, Calibration):
        taken = [same for score, same in pairs if score >= found.threshold]
        assert (found.hits, found.wrong) == (len(taken), taken.count(False))
        assert found.bound <= limit
        assert found.hits >= fewest(limit, FIVE)


def test_the_limit_is_kept_on_questions_not_seen():
    """Over many users whose matcher is wrong more often than allowed everywhere, few get a threshold."""
    given_one = sum(
        isinstance(
            calibrate(
                [Pair(rng.randrange(1000), rng.random() < 0.89) for _ in range(150)], matcher="m", limit=10 * PPM
            ),
            Calibration,
        )
        for rng in map(random.Random, range(200))
    )
    assert given_one <= 10


CALIBRATED = Calibration(
    matcher="m",
    threshold=700_000,
    limit=PPM,
    confidence=950_000,
    bound=9_000,
    hits=400,
    wrong=0,
    pairs=500,
    found=900_000,
)


@pytest.mark.parametrize(
    ("wanted", "matcher", "limit", "calibration", "mode", "threshold"),
    [
        (FaqMode.ON, "m", PPM, CALIBRATED, FaqMode.ON, 700_000),
        (FaqMode.ON, "m", PPM, None, FaqMode.SHADOW, 500_000),
        (FaqMode.ON, "other", PPM, CALIBRATED, FaqMode.SHADOW, 500_000),
        (FaqMode.ON, "m", 8_000, CALIBRATED, FaqMode.SHADOW, 700_000),
        (FaqMode.SHADOW, "m", PPM, CALIBRATED, FaqMode.SHADOW, 500_000),
        (FaqMode.OFF, "m", PPM, CALIBRATED, FaqMode.OFF, MILLION),
    ],
)
def test_on_without_a_threshold_that_was_shown_to_hold_is_shadow(wanted, matcher, limit, calibration, mode, threshold):
    found = standing(wanted, matcher=matcher, limit=limit, calibration=calibration)
    assert (found.mode, found.threshold) == (mode, threshold)
    assert bool(found.why) == (found.mode is FaqMode.SHADOW and wanted is FaqMode.ON)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("How do I pay?", "How can I pay, please?", True),
        ("Can I cancel?", "Can't I cancel?", False),
        ("Can’t I cancel?", "Can't I cancel?", True),
        ("What changed in 2.1?", "What changed in 2.2?", False),
        ("How do I enable it?", "How do I disable it?", False),
        ("Is it open on Monday?", "Is it OPEN on monday", True),
        ("Geht das nicht?", "Geht das?", False),
    ],
)
def test_where_particulars_differ_so_does_what_is_asked(one, two, same):
    assert (particulars(one) == particulars(two)) == same

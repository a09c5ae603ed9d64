"""Buckets, for any rate and any times: never above the rate, never refused below it, and the wait is exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calls import call
from underspend.core.call import Identity
from underspend.core.rate_limits import AtLimit, Bucket, Measure, Per, Rate, RateLimit, RateLimits, take

RATES = st.builds(
    Rate, most=st.integers(1, 1000), per=st.integers(1, 10**8) | st.integers(1, 50), burst=st.integers(1, 50)
)
GAPS = st.lists(st.integers(0, 10**8) | st.integers(0, 20), max_size=80)
MINUTE = 60_000_000


@given(RATES, GAPS)
def test_no_stretch_of_time_has_more_than_the_burst_and_the_rate(rate, gaps):
    bucket, at, admitted = None, 0, []
    for gap in gaps:
        at += gap
        bucket, wait = take(bucket, rate, at)
        if wait == 0:
            admitted.append(at)
    for first, begin in enumerate(admitted):
        for count, end in enumerate(admitted[first:], 1):
            assert count * rate.per <= rate.burst * rate.per + (end - begin) * rate.most


@given(RATES, st.integers(1, 60))
def test_who_stays_at_the_rate_never_waits(rate, count):
    bucket, step = None, -(-rate.per // rate.most)
    for number in range(count):
        bucket, wait = take(bucket, rate, number * step)
        assert wait == 0


@given(RATES, GAPS, st.integers(1, 80))
def test_the_wait_is_exact(rate, gaps, units):
    bucket, at = None, 0
    for gap in gaps:
        at += gap
        bucket, wait = take(bucket, rate, at, units)
        if wait:
            assert take(bucket, rate, at + wait, units).wait == 0
            assert take(bucket, rate, at + wait - 1, units).wait == 1


@given(RATES, GAPS)
def test_looking_often_neither_fills_nor_empties(rate, gaps):
    """A refused try takes nothing, and no remainder is lost however often a bucket is looked at."""
    often, once = Bucket(-rate.full, 0), Bucket(-rate.full, 0)
    at = 0
    for gap in gaps:
        at += gap
        taken = take(often, rate, at, rate.burst)
        if taken.wait == 0:
            break
        often = taken.bucket
    assert take(often, rate, at, rate.burst).wait == take(once, rate, at, rate.burst).wait


def test_what_is_larger_than_the_burst_goes_through_a_full_bucket_and_leaves_a_debt():
    rate = Rate(most=10, per=MINUTE, burst=10)
    bucket, wait = take(None, rate, 0, 100)
    assert wait == 0
    assert take(bucket, rate, 9 * MINUTE, 1).wait > 0
    assert take(bucket, rate, 10 * MINUTE, 10).wait == 0


def test_a_clock_that_was_set_back_locks_nobody_out():
    rate = Rate(most=1, per=MINUTE, burst=1)
    bucket, _ = take(None, rate, 10**15)
    bucket, wait = take(bucket, rate, 0)
    assert wait == MINUTE
    assert take(bucket, rate, MINUTE).wait == 0


@pytest.mark.parametrize("given", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_a_rate_that_cannot_be_meant_is_refused(given):
    with pytest.raises(ValueError, match="rate"):
        Rate(most=given[0], per=given[1], burst=given[2])


def limit(name="l", most=1, **more):
    return RateLimit(name=name, rate=Rate(most=most, per=MINUTE, burst=most), **more)


def of(session=None, key=None, project=None, tokens=1):
    return call(identity=Identity(session=session, key=key, project=project), prompt_tokens=tokens)


def test_each_session_has_a_limit_for_itself():
    limits = RateLimits([limit()])
    assert not limits.admit(of("a"), 0)
    assert not limits.admit(of("b"), 0)
    (over,) = limits.admit(of("a"), 0)
    assert (over.subject, over.wait, over.seconds) == ("a", MINUTE, 60)
    assert "l (1 calls per 60 s, 1 at once)" in over.words


@pytest.mark.parametrize("per", list(Per))
def test_who_is_unknown_shares_a_bucket_and_slips_no_limit(per):
    limits = RateLimits([limit(of=per)])
    assert not limits.admit(of(), 0)
    assert limits.admit(of(), 0)


def test_calls_without_a_session_are_told_apart_by_their_key():
    limits = RateLimits([limit()])
    assert not limits.admit(of(key="k1"), 0)
    assert not limits.admit(of(key="k2"), 0)


def test_a_call_that_has_to_wait_takes_nothing_from_any_limit():
    limits = RateLimits([limit("wide", 2, of=Per.ALL), limit("narrow", 1)])
    assert not limits.admit(of("a"), 0)
    for _ in range(5):
        assert [each.limit.name for each in limits.admit(of("a"), 0)] == ["narrow"]
    assert not limits.admit(of("b"), 0)


def test_a_limit_that_only_warns_lets_the_call_through_and_draws_on_the_others():
    limits = RateLimits([limit("soft", 1, at_limit=AtLimit.WARN), limit("hard", 2)])
    assert not limits.admit(of("a"), 0)
    assert [each.limit.name for each in limits.admit(of("a"), 0)] == ["soft"]
    assert [each.limit.name for each in limits.admit(of("a"), 0)] == ["hard", "soft"]


def test_of_many_that_wait_each_is_let_in_when_it_comes_again_as_it_was_told():
    limits = RateLimits([limit(most=4, of=Per.ALL)])
    assert not any(limits.admit(of(str(number)), 0) for number in range(4))
    asked = [(limits.admit(of(str(number)), 0)[0].wait, number) for number in range(4, 12)]
    assert [wait for wait, _ in asked] == [MINUTE // 4 * turn for turn in (1, 2, 3, 4, 5, 5, 5, 5)]
    late = [number for wait, number in asked if limits.admit(of(str(number)), wait)]
    assert late == [9, 10, 11]


def test_those_who_gave_up_keep_nobody_waiting_for_longer_than_a_bucket_takes_to_fill():
    limits = RateLimits([limit(most=4, of=Per.ALL)])
    waits = [limits.admit(of(), 0) for _ in range(1_000)]
    assert waits[-1][0].wait <= MINUTE + MINUTE // 4
    assert not limits.admit(of(), MINUTE // 4)


def test_tokens_of_prompts_can_be_counted():
    limits = RateLimits([limit(most=1000, measure=Measure.TOKENS)])
    assert not limits.admit(of("a", tokens=900), 0)
    assert limits.admit(of("a", tokens=200), 0)[0].wait == MINUTE // 10


def test_of_too_many_buckets_the_oldest_is_forgotten():
    limits = RateLimits([limit()])
    for number in range(20_001):
        limits.admit(of(f"s{number}"), 0)
    assert not limits.admit(of("s0"), 0)
    assert limits.admit(of("s20000"), 0)

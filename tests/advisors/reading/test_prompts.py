from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisors.scenes import FlatRates, bill, reply
from underspend.advisors.reading.prompts import EMPTY, Part, prompt_of
from underspend.core.advisor import Claim, netted
from underspend.core.reply import Bill, Line
from underspend.core.usage import Lane, Metered, Unit, Usage


def prompt(**tokens: int):
    answered = reply("a", 0, **tokens)
    return prompt_of(answered, bill(answered))


def test_a_prompt_is_its_lanes_in_order() -> None:
    made = prompt(read=100, w1=20, w5=30, fresh=5, out=7)
    assert (made.size, made.read, made.warm) == (155, 100, 150)
    assert made.parts == (
        Part(Lane.CACHE_READ, 100, 10),
        Part(Lane.CACHE_WRITE_1H, 20, 200),
        Part(Lane.CACHE_WRITE_5M, 30, 125),
        Part(Lane.INPUT, 5, 100),
    )


@pytest.mark.parametrize(
    ("start", "stop", "found"),
    [
        (0, 100, [Part(Lane.CACHE_READ, 100, 10)]),
        (
            90,
            125,
            [Part(Lane.CACHE_READ, 10, 10), Part(Lane.CACHE_WRITE_1H, 20, 200), Part(Lane.CACHE_WRITE_5M, 5, 125)],
        ),
        (150, 9_000, [Part(Lane.INPUT, 5, 100)]),
        (155, 200, []),
        (60, 60, []),
        (80, 60, []),
    ],
)
def test_a_stretch_of_it(start: int, stop: int, found: list[Part]) -> None:
    made = prompt(read=100, w1=20, w5=30, fresh=5)
    assert made.between(start, stop) == found
    assert made.paid(start, stop) == sum(part.amount for part in found)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=6))
def test_stretches_that_meet_add_up_to_the_bill(cuts: list[int]) -> None:
    made = prompt(read=100, w1=20, w5=30, fresh=5)
    edges = [0, *sorted(cuts), 155]
    total = sum(part.amount for a, b in pairwise(edges) for part in made.between(a, b))
    assert total == 1_000 + 4_000 + 3_750 + 500


@given(st.tuples(*[st.integers(0, 60)] * 4), st.integers(-20, 260), st.integers(-20, 260))
def test_what_a_stretch_cost_is_the_sum_of_its_parts(lanes: tuple[int, int, int, int], start: int, stop: int) -> None:
    read, w1, w5, fresh = lanes
    made = prompt(read=read, w1=w1, w5=w5, fresh=fresh)
    assert made.paid(start, stop) == sum(part.amount for part in made.between(start, stop))


def test_a_bill_that_was_rounded_is_never_exceeded() -> None:
    usage = Usage(cache_read=3)
    answered = reply("a", 0, read=3)
    odd = Line(unit=0, kind="message", model="m", lane=Lane.CACHE_READ, tokens=3, rate=4, amount=11)
    assert prompt_of(answered, Bill(lines=(odd,), total=11)).parts == (Part(Lane.CACHE_READ, usage.cache_read, 3),)


def test_without_a_bill_it_has_tokens_and_no_dollars() -> None:
    made = prompt_of(reply("a", 0, read=3), None)
    assert (made.size, made.parts) == (3, (Part(Lane.CACHE_READ, 3, 0),))


def test_of_several_passes_the_first_is_the_prompt_and_the_last_is_left_warm() -> None:
    units = (
        Unit("message", Usage(input=9), billed=False),
        Unit("message", Usage(cache_read=10, cache_write_5m=5)),
        Unit("advisor_message", Usage(input=1_000), model="other"),
        Unit("message", Usage(cache_read=15, cache_write_5m=4, input=1)),
    )
    metered = Metered(provider="anthropic", model="m", units=units, reported=Usage())
    read = Line(unit=1, kind="message", model="m", lane=Lane.CACHE_READ, tokens=10, rate=10, amount=100)
    later = Line(unit=3, kind="message", model="m", lane=Lane.CACHE_READ, tokens=15, rate=11, amount=165)
    answered = msgspec.structs.replace(reply("a", 0), metered=metered)
    made = prompt_of(answered, Bill(lines=(read, later)))
    assert (made.size, made.read, made.warm) == (15, 10, 19)
    assert made.parts == (Part(Lane.CACHE_READ, 10, 10), Part(Lane.CACHE_WRITE_5M, 5, 0))


@pytest.mark.parametrize("units", [(), (Unit("compaction", Usage(input=5)),), (Unit("x", Usage(), billed=False),) * 2])
def test_a_reply_without_a_pass_of_its_own_has_no_prompt(units: tuple[Unit, ...]) -> None:
    metered = Metered(provider="p", model="m", units=units, reported=Usage())
    assert prompt_of(msgspec.structs.replace(reply("a", 0), metered=metered), None) is EMPTY


def test_a_rate_is_the_one_paid_else_the_listed_one_at_the_same_markup() -> None:
    answered = reply("a", 0, w5=10)
    plain = prompt_of(answered, bill(answered))
    assert plain.rate_in(Lane.CACHE_WRITE_5M, answered, FlatRates()) == 125
    assert plain.rate_in(Lane.CACHE_READ, answered, FlatRates()) == 10
    line = Line(unit=0, kind="message", model="m", lane=Lane.CACHE_WRITE_5M, tokens=10, rate=250, amount=2_500)
    doubled = prompt_of(answered, Bill(lines=(line,), total=2_500))
    assert doubled.rate_in(Lane.CACHE_READ, answered, FlatRates()) == 20


def test_an_unpriced_model_has_no_rate() -> None:
    answered = reply("a", 0, w5=10, model="unpriced")
    made = prompt_of(answered, bill(answered))
    assert made.rate_in(Lane.CACHE_READ, answered, FlatRates()) is None
    assert made.rate_in(Lane.CACHE_WRITE_5M, answered, FlatRates()) is None


def claims(*amounts: int) -> list[Claim]:
    return [Claim(message_id=str(index), lane=Lane.CACHE_READ, amount=each) for index, each in enumerate(amounts)]


def test_claims_are_cut_in_proportion() -> None:
    assert [each.amount for each in netted(claims(30, 60, 10), 50)] == [15, 30, 5]
    assert netted(claims(30, 60), 90) == claims(30, 60)
    assert netted(claims(30, 60), 0) == []


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=8), st.integers(1, 10**13))
def test_cut_claims_come_to_the_amount_and_none_grows(amounts: list[int], amount: int) -> None:
    made = netted(claims(*amounts), amount)
    assert sum(each.amount for each in made) == min(amount, sum(amounts))
    assert all(each.amount <= amounts[int(each.message_id)] for each in made)

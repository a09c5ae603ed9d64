from __future__ import annotations

from dataclasses import replace

import pytest

from core.calls import FlatPrices
from strategies.talks import decided, filler, known, places, read, results, run, talk, warm
from underspend.core.call import Identity, Role
from underspend.strategies.stay_below_tier import StayBelowTier

OLD = talk(read(tokens=4_000), run(tokens=3_000), read("b", 3_000), *filler(6))


def stepped(step: int) -> FlatPrices:
    prices = FlatPrices()
    prices.step = step
    return prices


@pytest.mark.parametrize(("step", "gone"), [(12_000, 1), (8_000, 2), (5_500, 3), (1_000, 0), (99_000, 0)])
def test_the_oldest_go_until_the_prompt_is_short_enough(step: int, gone: int) -> None:
    edits = decided(StayBelowTier(), OLD, known(prices=stepped(step)))
    assert places(edits) == results(OLD)[:gone]


def test_not_where_writing_again_costs_more_than_the_dear_reading() -> None:
    """Above the limit a token is read at 50; what is behind the cut would be written at 125 below it."""
    ctx = warm(OLD, prices=stepped(12_000))
    assert decided(StayBelowTier(), OLD, ctx) == []
    ctx = warm(OLD, prices=stepped(12_000), warm_tokens=1_000)
    assert places(decided(StayBelowTier(), OLD, ctx)) == results(OLD)[:1]


def test_without_a_limit_or_on_side_calls_nothing_is_done() -> None:
    assert decided(StayBelowTier(), OLD, known()) == []
    side = replace(OLD, identity=Identity(role=Role.SIDE))
    assert decided(StayBelowTier(), side, known(prices=stepped(12_000))) == []
    assert decided(StayBelowTier(), replace(OLD, model="new"), known(prices=stepped(12_000))) == []

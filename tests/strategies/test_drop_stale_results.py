from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from strategies.talks import MINUTE, RICH, decided, edit, filler, known, places, read, results, run, talk, warm
from underspend.core.call import Identity, Role
from underspend.strategies.drop_stale_results import DropStaleResults


@pytest.mark.parametrize(
    ("earlier", "later", "goes"),
    [
        (read(), read(), True),
        (read(span=(1, 20)), read(span=(1, 20), tokens=300), True),
        (read(span=(1, 20)), read(), True),
        (read(), read(span=(1, 20)), False),
        (read(), read("b"), False),
        (read(), read(is_error=True), False),
        (read(), edit(), True),
        (run(), run(tokens=20), True),
        (run(), run("b"), False),
        (read(), run(), False),
        (read(tokens=199), read(), False),
    ],
)
def test_what_takes_whose_place(earlier: dict[str, Any], later: dict[str, Any], *, goes: bool) -> None:
    asked = talk(earlier, later, *filler(6))
    assert places(decided(DropStaleResults(), asked, known())) == ([results(asked)[0]] if goes else [])


def test_what_the_last_calls_refer_to_stays() -> None:
    asked = talk(read(), edit(), *filler(3), edit())
    assert decided(DropStaleResults(), asked, known()) == []
    recent = talk(read(), read(), *filler(3))
    assert decided(DropStaleResults(), recent, known()) == []
    assert places(decided(DropStaleResults(keep_calls=1), recent, known())) == [results(recent)[0]]


@pytest.mark.parametrize(("behind", "goes"), [(0, True), (1_000, True), (3_000, True), (9_000, False)])
def test_a_warm_prompt_is_cut_when_the_rent_has_reached_the_price(behind: int, *, goes: bool) -> None:
    """5,000 tokens were read at 10 in 13 calls; what is behind them would be written at 125 instead of read."""
    asked = talk(read(tokens=5_000), read(tokens=20), run("big", behind), *filler(12))
    assert bool(decided(DropStaleResults(), asked, warm(asked, **RICH))) is goes


def test_a_warm_prompt_is_not_cut_where_the_loss_could_not_be_borne() -> None:
    asked = talk(read(tokens=5_000), read(tokens=20), *filler(12))
    assert decided(DropStaleResults(), asked, warm(asked)) == []


def test_right_after_its_lifetime_a_prompt_counts_as_warm() -> None:
    asked = talk(read(), read(), run("big", 9_000), *filler(6))
    cold = {"calls": 9, "gaps": (), "warm_tokens": 0}
    assert decided(DropStaleResults(), asked, known(idle=11 * MINUTE // 2, **cold)) == []
    assert decided(DropStaleResults(), asked, known(idle=7 * MINUTE, **cold)) != []


def test_side_calls_and_empty_ones_stay() -> None:
    asked = talk(read(), read(), *filler(6))
    side = replace(asked, identity=Identity(role=Role.SIDE))
    assert [decided(DropStaleResults(), each, known()) for each in (side, replace(asked, blocks=()))] == [[], []]

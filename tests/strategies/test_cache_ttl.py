from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from strategies.talks import MINUTE, RICH, decided, filler, known, read, talk, warm
from underspend.core.call import Call, Identity, Role
from underspend.core.conversation import Habits
from underspend.core.edits import SetBreakpoint
from underspend.core.strategy import State
from underspend.strategies.cache_ttl import CacheTtl

LOOP = [read("a", 20_000), *filler(12)]


def insured_by(asked: Call, *, blocks: int) -> dict[str, int]:
    """The call so many blocks ago was written for an hour."""
    return {"long_tokens": sum(block.tokens for block in asked.blocks[:-blocks])}


def lifetimes(asked: Call, **more: Any) -> list[tuple[int, str]]:
    return [(edit.at, edit.ttl) for edit in ttls(asked, **more)]


def ttls(asked: Call, **more: Any) -> list[SetBreakpoint]:
    edits = decided(CacheTtl(), asked, warm(asked, **more))
    return [edit for edit in edits if isinstance(edit, SetBreakpoint)]


def test_it_is_on_unless_told_otherwise() -> None:
    assert CacheTtl.default_state is State.ON
    assert CacheTtl.keeps_meaning


def test_a_client_that_asks_for_five_minutes_is_insured_once_it_has_paused() -> None:
    asked = talk(*LOOP)
    last = len(asked.blocks) - 1
    paused = {"gaps": (MINUTE, 7 * MINUTE)}
    assert lifetimes(asked, **paused, **RICH) == [(0, "1h"), (last, "1h")]
    assert lifetimes(asked, **RICH) == []  # no pause so far
    assert lifetimes(asked, **paused) == []  # nothing that it could lose
    assert lifetimes(asked, gaps=(MINUTE, 70 * MINUTE), **RICH) == []  # an hour would not have helped


def test_what_was_written_for_an_hour_just_before_is_insurance_enough_and_is_kept_alive() -> None:
    asked = talk(*filler(60), read("a", 20_000), *filler(12))
    paused = {"gaps": (MINUTE, 7 * MINUTE), **RICH}
    last = len(asked.blocks) - 1
    assert lifetimes(asked, **insured_by(asked, blocks=4), **paused) == [(last - 4, "5m")]
    assert lifetimes(asked, **insured_by(asked, blocks=22), **paused) == [(last - 22, "5m")]
    assert lifetimes(asked, **insured_by(asked, blocks=26), **paused) == [(0, "1h"), (last, "1h")]


def test_without_a_free_slot_the_lookback_reaches_half_as_far() -> None:
    asked = talk(*filler(60), read("a", 20_000), *filler(12))
    full = [replace(block, breakpoint="5m") if at < 3 else block for at, block in enumerate(asked.blocks)]
    asked = replace(asked, blocks=tuple(full))
    paused = {"gaps": (MINUTE, 7 * MINUTE), **RICH}
    assert lifetimes(asked, **insured_by(asked, blocks=2), **paused) == []
    assert len(lifetimes(asked, **insured_by(asked, blocks=6), **paused)) == 4


def test_after_a_crowd_the_lookback_is_taken_to_reach_less_far() -> None:
    asked = talk(*filler(60), read("a", 20_000), *filler(12))
    crowd = [replace(asked.blocks[-1], breakpoint=None, ref=f"c{number}", tokens=1) for number in range(16)]
    crowded = replace(asked, blocks=(*asked.blocks[:-1], *crowd, asked.blocks[-1]))
    paused = {"gaps": (MINUTE, 7 * MINUTE), **RICH}
    assert len(lifetimes(crowded, **insured_by(crowded, blocks=18), **paused)) == 2
    assert len(lifetimes(asked, **insured_by(asked, blocks=18), **paused)) == 1


def test_after_a_pause_the_lookback_is_made_longer() -> None:
    asked = talk(*filler(60))
    last = len(asked.blocks) - 1
    assert lifetimes(asked, idle=7 * MINUTE) == [(last - 20, "5m")]
    assert lifetimes(asked, idle=70 * MINUTE) == []
    assert lifetimes(talk(*filler(4)), idle=7 * MINUTE) == []


def test_a_client_that_asks_for_an_hour_gets_five_minutes_in_between() -> None:
    asked = talk(*LOOP, marks="1h")
    last = len(asked.blocks) - 1
    near = insured_by(asked, blocks=4)
    assert lifetimes(asked, **near, **RICH) == [(last - 4, "5m"), (last, "5m")]
    assert lifetimes(asked, **near, saved=-RICH["paid"]) == []  # it has lost enough
    assert lifetimes(asked, **RICH) == []  # nothing protects the rest


def test_a_cold_prompt_is_written_for_an_hour_only_where_the_client_says_so() -> None:
    paused = {"gaps": (7 * MINUTE,), "warm_tokens": 0, **RICH}
    assert lifetimes(talk(*LOOP), **paused) == []
    asked = talk(*LOOP, marks="1h")
    assert lifetimes(asked, **paused) == [(len(asked.blocks) - 1, "5m")]


def test_agents_get_five_minutes_from_their_first_call() -> None:
    asked = talk(read("a", 9_000), marks="1h", identity=Identity(role=Role.SUBAGENT))
    assert decided(CacheTtl(), asked, known()) == [
        SetBreakpoint(at, "5m", why="an agent does not pause") for at in (0, 3)
    ]
    assert decided(CacheTtl(), talk(read("a", 9_000), marks="1h"), known()) == []


def test_a_conversation_that_pauses_all_the_time_is_insured_for_the_premium_alone() -> None:
    asked = talk(*LOOP)
    paced = {"gaps": (MINUTE,) * 18 + (7 * MINUTE,) * 2, "paid": 10**6}
    assert lifetimes(asked, **paced) != []
    assert lifetimes(asked, **{**paced, "gaps": (MINUTE,) * 19 + (7 * MINUTE,) * 2}) == []
    assert lifetimes(asked, **{**paced, "paid": 10**5}) == []


def test_a_user_who_pauses_often_is_insured_earlier() -> None:
    asked = talk(*filler(30), read("a", 1_500))
    paused = {"gaps": (MINUTE, 7 * MINUTE), **insured_by(asked, blocks=8), **RICH}
    often = Habits(gaps={Role.MAIN: sorted([MINUTE] * 100 + [9 * MINUTE] * 900)})
    assert [edit.ttl for edit in ttls(asked, **paused)] == ["5m"]
    assert [edit.ttl for edit in ttls(asked, habits=often, **paused)] == ["1h", "1h"]


@pytest.mark.parametrize(
    "asked",
    [
        talk(*LOOP, marks=None),
        talk(*LOOP, model="new"),
        talk(*LOOP, identity=Identity(role=Role.SIDE)),
        talk(*LOOP, automatic="5m"),
    ],
    ids=["no breakpoint", "no price", "the client's own", "the provider's"],
)
def test_where_nothing_is_known_or_asked_nothing_is_done(asked: Call) -> None:
    assert lifetimes(asked, gaps=(7 * MINUTE,), **RICH) == []

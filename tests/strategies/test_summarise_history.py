from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calls import FlatPrices, call
from strategies.talks import MINUTE, block, decided, known
from underspend.core.call import Block, Call, Identity, Role, Section
from underspend.core.editing import apply
from underspend.core.edits import ReplaceContent, ReplaceMessages
from underspend.core.glance import Glance
from underspend.core.strategy import State
from underspend.core.summaries import Replaced, Summary, old_part, tokens_of
from underspend.strategies.summarise_history import SummariseHistory

ON = SummariseHistory(model="cheap", least_tokens=1_000, most_tokens=200)
FRONT = 600
FREE = "claude-opus-4-5-20251101"


def chat(*turns: tuple[int, int], thinks: bool = False, **more: Any) -> Call:
    """500 tokens of system prompt, then turns: a question of 100 tokens, so many uses with results of so many tokens.

    The last turn is a question only.
    """
    blocks = [block("text", 500, section=Section.SYSTEM, breakpoint="5m")]
    at = 0
    for number, (uses, tokens) in enumerate(turns):
        blocks.append(block("text", 100, message=at, role="user", label=f"q{number}"))
        at += 1
        for use in range(uses):
            ref = f"t{number}.{use}"
            if thinks:
                blocks.append(block("thinking", 30, message=at, role="assistant", label=ref))
            blocks.append(block("tool_use", 20, message=at, role="assistant", ref=ref))
            blocks.append(block("tool_result", tokens, message=at + 1, role="user", ref=ref))
            at += 2
        blocks.append(block("text", 10, message=at, role="assistant", label=f"a{number}"))
        at += 1
    blocks.append(block("text", 100, message=at, role="user", label="now", breakpoint="5m"))
    size = sum(each.tokens for each in blocks)
    base = {"blocks": tuple(blocks), "prompt_tokens": size, "identity": Identity(role=Role.MAIN), "model": FREE}
    return call(**{**base, **more})


def summed_up(asked: Call, strategy: SummariseHistory = ON, **more: Any) -> list[Any]:
    part = old_part(asked.blocks, strategy.keep_turns)
    summary = Summary(*part, "what was", 100) if part is not None else None
    return decided(strategy, asked, known(**{"calls": 9, "idle": 20 * MINUTE, "summary": summary, **more}))


LONG = chat((2, 1_000), (1, 1_000), (1, 10))


def test_old_turns_give_way_to_the_summary_at_hand() -> None:
    (edit,) = summed_up(LONG)
    assert (edit.first, edit.last, edit.text) == (1, 9, "what was")
    left = apply(edit, LONG)
    assert [(each.message, each.role) for each in left.blocks] == [
        (-1, ""),
        (0, "user"),
        (1, "assistant"),
        *[(each.message, each.role) for each in LONG.blocks if each.message > 9],
    ]


def test_without_a_summary_or_a_model_nothing_is_done() -> None:
    assert summed_up(LONG, summary=None) == []
    assert summed_up(LONG, SummariseHistory()) == []
    assert SummariseHistory().default_state is State.OFF


@pytest.mark.parametrize("role", [Role.SIDE, Role.COMPACTION, Role.SUMMARY])
def test_calls_of_the_client_s_own_stay(role: Role) -> None:
    assert summed_up(replace(LONG, identity=Identity(role=role))) == []
    assert summed_up(replace(LONG, endpoint="count_tokens")) == []


def test_a_warm_prompt_stays_but_its_beginning_may_be_warm() -> None:
    size = sum(each.tokens for each in LONG.blocks)
    assert summed_up(LONG, warm_tokens=size) == []
    assert summed_up(LONG, warm_tokens=FRONT + 2_000) == []
    assert len(summed_up(LONG, warm_tokens=FRONT)) == 1


@pytest.mark.parametrize(("minutes", "edits"), [(5.5, 0), (7, 1), (65, 0), (80, 1)])
def test_a_lifetime_that_has_only_just_ended_counts_as_not_over(minutes: float, edits: int) -> None:
    assert len(summed_up(LONG, idle=int(minutes * MINUTE))) == edits


def test_a_summary_that_is_hardly_shorter_is_left() -> None:
    there = tokens_of(LONG.blocks, 1, 9)
    assert summed_up(LONG, summary=Summary(1, 9, "long", there // 2 + 1)) == []


def test_what_stands_there_already_counts() -> None:
    earlier = Replaced("summarise_history", ReplaceMessages(1, 5, "old", 50, why=""), b"")
    assert len(summed_up(LONG, replaced=earlier)) == 1
    assert (
        summed_up(chat((3, 1_000), (1, 10), (1, 10)), replaced=Replaced("s", replace(earlier.edit, last=7), b"")) == []
    )


def test_turns_that_are_to_stay_stay() -> None:
    assert summed_up(LONG, summary=Summary(1, 12, "too much", 100)) == []
    assert summed_up(LONG, summary=Summary(1, 4, "in a turn", 100)) == []
    assert len(summed_up(LONG, summary=Summary(1, 5, "less", 100))) == 1


def test_bound_thinking_goes_too_but_never_that_of_a_turn_under_way() -> None:
    free = chat((2, 1_000), (1, 1_000), (1, 10), thinks=True)
    assert [type(each) for each in summed_up(free)] == [ReplaceMessages]
    bound = replace(free, model="claude-opus-5-5")
    edits = summed_up(bound)
    gone = [bound.blocks[each.at] for each in edits if isinstance(each, ReplaceContent)]
    assert [each.kind for each in gone] == ["thinking"]
    assert all(each.message > 9 for each in gone)
    assert isinstance(edits[-1], ReplaceMessages)
    at = bound.blocks[-1].message + 1
    more = (
        block("thinking", 30, message=at, role="assistant"),
        block("tool_use", 20, message=at, role="assistant", ref="now"),
        block("tool_result", 20, message=at + 1, role="user", ref="now"),
    )
    assert summed_up(replace(bound, blocks=(*bound.blocks, *more))) == []


TURNS = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3_000)), max_size=9)


@given(TURNS, st.integers(1, 4), st.integers(0, 40), st.integers(0, 30_000), st.booleans())
def test_pairs_stay_together_in_order_and_nothing_is_done_when_warm(
    said: list[tuple[int, int]], keep: int, last: int, warm: int, thinks: bool
) -> None:
    """Whatever summary is at hand: that of other messages too."""
    asked = chat(*said, thinks=thinks)
    strategy = SummariseHistory(model="cheap", keep_turns=keep)
    edits = summed_up(asked, strategy, summary=Summary(1, last, "what was", 10), warm_tokens=warm)
    for edit in edits:
        left = apply(edit, asked)
        kept = [each for each in left.blocks if each.label != "summary"]
        assert kept == [each for each in asked.blocks if not 1 <= each.message <= last]
        assert left.blocks[0] == asked.blocks[0]
        assert _first(left.blocks).role == "user"
        uses = [each.ref for each in kept if each.kind == "tool_use"]
        assert uses == [each.ref for each in kept if each.kind == "tool_result"]
        assert (warm - FRONT) * 10 <= tokens_of(asked.blocks, 1, last)


def _first(blocks: Any) -> Block:
    found: Block = next(each for each in blocks if each.section is Section.MESSAGES)
    return found


def glance(**more: Any) -> Glance:
    base = {"begins": False, "has_breakpoints": True, "asks_for_an_hour": False, "came_in": 1, "calls": 5}
    return Glance(call=LONG, pricing=FlatPrices(), **{**base, **more})


def test_at_a_glance_only_a_pause_tells() -> None:
    assert not ON.may_act_on(glance())
    assert ON.may_act_on(glance(longest_pause=5 * MINUTE))
    assert ON.may_act_on(glance(calls=None))
    assert ON.may_act_on(glance(has_breakpoints=False))
    assert not ON.may_act_on(glance(begins=True, longest_pause=5 * MINUTE))
    assert not SummariseHistory().may_act_on(glance(longest_pause=5 * MINUTE))


@pytest.mark.parametrize("said", [{"keep_turns": 0}, {"most_tokens": 100}, {"most_tokens": 900, "least_tokens": 1_000}])
def test_limits_that_cannot_be_are_refused(said: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"keep_turns|most_tokens"):
        SummariseHistory(**said)

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.calls import call
from strategies.talks import block, decided, known
from underspend.core.call import Call, Identity, Role, Section
from underspend.core.editing import apply
from underspend.core.edits import DropMessages
from underspend.strategies.trim_history import TrimHistory

BUDGET = TrimHistory(budget_tokens=1_000)


def chat(*turns: tuple[int, int], marks: str | None = None, **more: Any) -> Call:
    """A call of a chat: a system prompt, then a question and an answer of so many tokens each, but for the last."""
    blocks = [block("text", 50, section=Section.SYSTEM, breakpoint=marks)]
    for number, (asked, said) in enumerate(turns):
        blocks.append(block("text", asked, message=2 * number, role="user", label=f"q{number}"))
        if number < len(turns) - 1:
            blocks.append(block("text", said, message=2 * number + 1, role="assistant", label=f"a{number}"))
    blocks[-1] = replace(blocks[-1], breakpoint=marks)
    size = sum(each.tokens for each in blocks)
    return call(**{"blocks": tuple(blocks), "prompt_tokens": size, "identity": Identity(), **more})


def cut(asked: Call, strategy: TrimHistory = BUDGET) -> tuple[int, int] | None:
    edits = decided(strategy, asked, known())
    assert len(edits) <= 1
    return next(((edit.first, edit.last) for edit in edits if isinstance(edit, DropMessages)), None)


def test_within_the_budget_all_stays() -> None:
    assert cut(chat(*[(100, 100)] * 5)) is None
    assert cut(chat()) is None


def test_over_the_budget_whole_turns_go_until_half_of_it_is_free() -> None:
    assert cut(chat(*[(100, 100)] * 6)) == (0, 5)
    left = apply(decided(BUDGET, chat(*[(100, 100)] * 6), known())[0], chat(*[(100, 100)] * 6))
    assert sum(each.tokens for each in left.blocks if each.section is Section.MESSAGES) == 500
    assert left.blocks[1].role == "user"


def test_the_newest_turn_always_stays() -> None:
    assert cut(chat((100, 100), (5_000, 0))) == (0, 1)
    assert cut(chat((5_000, 0))) is None


TURNS = st.lists(st.tuples(st.integers(1, 600), st.integers(1, 600)), min_size=2, max_size=30)


@given(TURNS, st.sampled_from([None, "5m"]))
def test_the_cut_only_moves_on_and_only_when_a_turn_begins(turns: list[tuple[int, int]], marks: str | None) -> None:
    """What is sent at one turn begins what is sent at the next, unless the cut moved."""
    last = -1
    for length in range(1, len(turns) + 1):
        found = cut(chat(*turns[:length], marks=marks))
        now = found[1] if found else -1
        assert now >= last
        last = now


def test_a_cached_history_is_cut_only_where_the_calls_to_come_pay_for_it() -> None:
    few = chat(*[(100, 100)] * 6, marks="5m")
    many = chat(*[(10, 10)] * 60, marks="5m")
    assert cut(few) is None
    assert cut(many) is not None


def test_agents_and_bound_thinking_are_left_alone() -> None:
    turns = [(100, 100)] * 6
    assert cut(chat(*turns, identity=Identity(role=Role.MAIN))) is None
    thinking = chat(*turns)
    blocks = [*thinking.blocks[:2], block("thinking", 9, message=1, role="assistant"), *thinking.blocks[2:]]
    assert cut(replace(thinking, blocks=tuple(blocks))) is None


def test_a_use_and_its_result_go_together() -> None:
    asked = chat(*[(100, 100)] * 6)
    use = block("tool_use", 100, message=1, role="assistant", ref="t")
    answer = block("tool_result", 100, message=2, role="user", ref="t")
    blocks = [replace(each, message=each.message + 2) if each.message > 1 else each for each in asked.blocks]
    found = cut(replace(asked, blocks=(*blocks[:2], use, answer, *blocks[3:])))
    assert found is not None
    assert found[1] >= 3

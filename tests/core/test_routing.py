from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calls import FlatRates, call
from strategies.talks import block, known, run, talk
from underspend.core.call import Block, Identity, Role, Section
from underspend.core.conversation import Conversation, Habits
from underspend.core.routing import (
    Load,
    Outlook,
    can_lose_thinking,
    cost_of,
    is_cached,
    is_in_tool_loop,
    may_be_warm,
    thinking_in,
)

MINUTE = 60_000_000


def said(*roles_and_kinds: tuple[str, str]) -> list[Block]:
    """One message for each change of role."""
    blocks, message, role = [block(section=Section.SYSTEM)], -1, ""
    for now, kind in roles_and_kinds:
        message, role = message + (now != role), now
        blocks.append(block(kind, message=message, role=now))
    return blocks


@pytest.mark.parametrize(
    ("blocks", "inside"),
    [
        ([("user", "text")], False),
        ([("user", "text"), ("assistant", "tool_use"), ("user", "tool_result")], True),
        ([("user", "text"), ("assistant", "tool_use"), ("user", "tool_result"), ("user", "text")], True),
        ([("user", "text"), ("assistant", "tool_use"), ("user", "tool_result"), ("system", "text")], True),
        ([("user", "tool_result"), ("assistant", "text"), ("user", "text")], False),
        ([], False),
    ],
)
def test_a_tools_result_in_the_last_message_means_the_turn_goes_on(
    blocks: list[tuple[str, str]], *, inside: bool
) -> None:
    assert is_in_tool_loop(said(*blocks)) is inside


def test_thinking_that_is_gone_does_not_go_along() -> None:
    blocks = said(
        ("user", "text"), ("assistant", "thinking"), ("assistant", "text"), ("assistant", "redacted_thinking")
    )
    assert thinking_in(blocks) == [2, 4]
    blocks[2] = replace(blocks[2], edited=True)
    assert thinking_in(blocks) == [4]


def test_a_message_of_nothing_but_thinking_cannot_lose_it() -> None:
    blocks = said(("user", "text"), ("assistant", "thinking"), ("user", "text"), ("assistant", "thinking"))
    assert not can_lose_thinking(blocks, thinking_in(blocks))
    blocks = said(("user", "text"), ("assistant", "thinking"), ("assistant", "tool_use"))
    assert can_lose_thinking(blocks, thinking_in(blocks))
    assert can_lose_thinking(blocks, [])


MAIN = call(identity=Identity(role=Role.MAIN), kind="main")


def test_with_little_known_a_conversation_goes_on_for_as_long_as_it_has() -> None:
    assert Outlook.of(MAIN, Conversation(), Habits()) == Outlook(1)
    assert Outlook.of(MAIN, Conversation(calls=7), Habits()) == Outlook(7)
    few = Habits(lengths={Role.MAIN: [99] * 19})
    assert Outlook.of(MAIN, Conversation(calls=7), few) == Outlook(7)


def test_with_much_known_three_in_four_go_on_for_longer() -> None:
    habits = Habits(
        lengths={Role.MAIN: [*[2] * 50, *range(10, 50)]}, growth={Role.MAIN: [1, 2, 30]}, outputs={"main": [4, 5, 6]}
    )
    assert Outlook.of(MAIN, Conversation(calls=5), habits) == Outlook(15, 2, 5)


RATES = FlatRates(input=100)


def test_the_calls_ahead_read_what_is_there_and_write_what_comes() -> None:
    cached = talk(run())
    assert cost_of(cached, Load(1_000), RATES, Outlook(1)) == 1_000 * 125
    assert cost_of(cached, Load(1_000, warm=900), RATES, Outlook(1)) == 900 * 10 + 100 * 125
    assert cost_of(cached, Load(1_000, warm=1_000), RATES, Outlook(3, growth=10, output=2)) == (
        1_000 * 10 + (1_000 * 10 + 10 * 125) + (1_010 * 10 + 10 * 125) + 3 * 2 * 500
    )


def test_without_a_cache_every_token_is_fresh() -> None:
    assert cost_of(talk(run()), Load(1_000, caches=False), RATES, Outlook(2)) == 2 * 1_000 * 100


@given(st.integers(1, 50), st.integers(0, 500), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_warm_prompt_never_costs_more_than_a_cold_one(calls: int, growth: int, prompt: int, warm: int) -> None:
    outlook, cached = Outlook(calls, growth), talk(run())
    cold = cost_of(cached, Load(prompt), RATES, outlook)
    assert cost_of(cached, Load(prompt, min(warm, prompt)), RATES, outlook) <= cold


def test_where_a_conversation_begins_others_may_have_left_its_prompt() -> None:
    asked = call(prompt_tokens=500)
    assert may_be_warm(asked, known(), sees_all=False) == 500
    assert may_be_warm(asked, known(), sees_all=True) == 0
    assert may_be_warm(asked, known(warm_tokens=9), sees_all=True) == 9


@pytest.mark.parametrize(("minutes", "warm"), [(2, 9), (5.5, 500), (7, 9), (65, 500), (90, 9)])
def test_a_lifetime_that_has_only_just_ended_may_not_have(minutes: float, warm: int) -> None:
    ctx = known(calls=1, idle=int(minutes * MINUTE), warm_tokens=9)
    assert may_be_warm(call(prompt_tokens=500), ctx, sees_all=True) == warm


def test_a_client_that_sets_no_breakpoint_caches_nothing() -> None:
    assert is_cached(talk(run()))
    assert not is_cached(talk(run(), marks=None))
    assert is_cached(talk(run(), marks=None, automatic="5m"))

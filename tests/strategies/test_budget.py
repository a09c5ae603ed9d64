from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calls import call, context
from underspend.core.edits import Edit, RefusalKind, Refuse, Warn
from underspend.core.engine import Step, run
from underspend.core.money import from_usd
from underspend.core.strategy import State
from underspend.strategies.budget import Budget

DOLLAR = from_usd(1)


def decided(budget: Budget, *, spent: int = 0, held: int = 0, most: int = 700, **more: Any) -> list[Edit]:
    asked = call(prompt_tokens=most // 100, **more)
    return list(budget.decide(asked, context(spent={"day": spent}, held=held)))


def blocking(usd: str = "1") -> Budget:
    return Budget(day_usd=usd, action="block")


def test_no_limit_asks_for_nothing_and_says_nothing() -> None:
    assert tuple(Budget().needs(call())) == ()
    assert list(Budget().decide(call(), context())) == []
    assert tuple(blocking().needs(call())) == ("day",)
    assert tuple(blocking().needs(call(endpoint="count_tokens"))) == ()


@pytest.mark.parametrize(
    ("spent", "held", "most", "fits"),
    [
        (0, 0, 700, True),
        (DOLLAR - 700, 0, 700, True),
        (DOLLAR - 699, 0, 700, False),
        (0, DOLLAR - 700, 700, True),
        (0, DOLLAR - 600, 700, False),
        (DOLLAR, 0, 700, False),
        (0, 0, DOLLAR + 100, False),
    ],
)
def test_a_block_lets_through_only_what_fits(spent: int, held: int, most: int, *, fits: bool) -> None:
    edits = decided(blocking(), spent=spent, held=held, most=most)
    assert (edits == []) is fits
    assert all(isinstance(edit, Refuse) and edit.kind is RefusalKind.BUDGET for edit in edits)


def test_a_refusal_says_the_figures() -> None:
    (refusal,) = decided(blocking(), spent=DOLLAR // 2, held=DOLLAR // 4, most=DOLLAR // 2)
    assert refusal.why == (
        "today's budget is $1.00; $0.500 is spent and $0.250 held for calls in flight, "
        "and this call could cost up to $0.500"
    )
    (refusal,) = decided(blocking(), spent=DOLLAR)
    assert "held" not in refusal.why


@pytest.mark.parametrize(("spent", "warned"), [(DOLLAR - 1, False), (DOLLAR, True), (2 * DOLLAR, True)])
def test_a_warning_comes_when_the_limit_is_spent(spent: int, *, warned: bool) -> None:
    edits = decided(Budget(day_usd="1"), spent=spent)
    assert [type(edit) for edit in edits] == ([Warn] if warned else [])


@pytest.mark.parametrize("action", ["warn", "block"])
def test_only_messages_cost(action: Literal["warn", "block"]) -> None:
    assert decided(Budget(day_usd="1", action=action), spent=9 * DOLLAR, endpoint="count_tokens") == []


@pytest.mark.parametrize("amount", ["-1", "ten", "NaN", "0.0000000000001"])
def test_what_is_no_amount_is_refused_at_once(amount: str) -> None:
    with pytest.raises(ValueError, match=r"below zero|no amount|finer"):
        Budget(day_usd=amount)


CALLS = st.lists(st.tuples(st.integers(0, 400), st.floats(0, 1), st.integers(0, 3)), max_size=40)


@given(limit=st.integers(0, 50_000), calls=CALLS)
def test_what_is_admitted_never_passes_the_limit(limit: int, calls: list[tuple[int, float, int]]) -> None:
    """Calls come, are held at their worst case, cost a part of it, and settle some calls later."""
    step = Step(Budget(day_usd=f"{limit / 10**12:.12f}", action="block"), State.ON)
    spent, flying = 0, list[tuple[int, int]]()
    for tokens, part, settled in calls:
        ctx = context(spent={"day": spent}, held=sum(most for most, _ in flying))
        asked = call(prompt_tokens=tokens)
        most = ctx.worst_case(asked)
        if run(asked, [step], ctx).refusal is None:
            flying.append((most, int(part * most)))
        else:
            assert spent + ctx.held + most > limit  # no phantom refusals
        assert spent + sum(most for most, _ in flying) <= limit
        for _ in range(min(settled, len(flying))):
            spent += flying.pop(0)[1]

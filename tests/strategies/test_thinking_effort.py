from __future__ import annotations

from typing import Any

import pytest

from core.calls import call
from strategies.talks import decided, known
from underspend.core.call import Identity, Role
from underspend.core.conversation import Habits
from underspend.core.edits import SetEffort
from underspend.strategies.thinking_effort import ThinkingEffort

SHORT = Habits(outputs={"k": [100] * 90 + [5_000] * 10})
LONG = Habits(outputs={"k": [100] * 80 + [5_000] * 20})


def effort(habits: Habits = SHORT, *, asked: dict[str, Any] | None = None, **talk: Any) -> str | None:
    made = call(**{"kind": "k", "effort": "high", "identity": Identity(role=Role.SUBAGENT), **(asked or {})})
    edits = decided(ThinkingEffort(), made, known(habits=habits, **talk))
    return next((edit.effort for edit in edits if isinstance(edit, SetEffort)), None)


def test_kinds_with_short_replies_begin_at_a_lower_effort() -> None:
    assert effort() == "low"
    assert effort(LONG) is None
    assert effort(Habits(outputs={"k": [100] * 49})) is None
    assert effort(Habits()) is None


def test_a_warm_conversation_stays_at_its_effort() -> None:
    warm = {"calls": 3, "warm_tokens": 9}
    assert effort(**warm, effort="low") == "low"
    assert effort(LONG, **warm, effort="low") == "low"
    assert effort(**warm, effort="high") is None
    assert effort(**warm) is None
    assert effort(calls=3, effort="high") == "low"  # cold


@pytest.mark.parametrize(
    "asked",
    [{"effort": "low"}, {"effort": "none"}, {"identity": Identity(role=Role.MAIN)}, {"endpoint": "count_tokens"}],
)
def test_effort_is_never_raised_nor_the_main_loops_touched(asked: dict[str, Any]) -> None:
    assert effort(asked=asked) is None


def test_a_call_that_asks_for_none_may_not_know_any() -> None:
    assert effort(asked={"effort": None}) is None


def test_an_effort_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="low, medium"):
        ThinkingEffort(effort="tiny")

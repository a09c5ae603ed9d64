from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.calls import call
from strategies.talks import RICH, block, decided, known
from underspend.core.call import Identity, Role
from underspend.core.edits import SetModel
from underspend.strategies.model_choice import Choice, ModelChoice

AGENTS = ModelChoice(choices=(Choice(to="cheap", roles=(Role.SUBAGENT,)),))


def model(strategy: ModelChoice = AGENTS, *, role: Role = Role.SUBAGENT, **more: Any) -> str | None:
    talk = {name: more.pop(name) for name in ("calls", "warm_tokens", "model", "paid") if name in more}
    asked = call(identity=Identity(role=role, agent_type=more.pop("agent_type", None)), **more)
    edits = decided(strategy, asked, known(**talk))
    return next((edit.model for edit in edits if isinstance(edit, SetModel)), None)


def test_a_conversation_begins_on_the_model_of_your_choice_and_stays_there() -> None:
    assert model() == "cheap"
    assert model(calls=9, warm_tokens=5_000, model="cheap") == "cheap"


def test_one_that_runs_elsewhere_changes_over_when_it_is_cold_or_pays() -> None:
    """The middle one takes in at 50 what the dear one reads at 10, and then reads at 5: that takes 8 calls."""
    middle = ModelChoice(choices=(Choice(to="middle"),))
    warm = {"warm_tokens": 5_000, "model": "dear", **RICH}
    assert model(middle, calls=9, model="dear") == "middle"
    assert [model(middle, calls=calls, **warm) for calls in (1, 7, 8)] == [None, None, "middle"]
    assert model(middle, calls=8, **{**warm, "paid": 0}) is None


def test_the_main_loop_and_side_calls_stay() -> None:
    assert model(role=Role.MAIN) is None
    anything = ModelChoice(choices=(Choice(to="cheap"),))
    assert model(anything, role=Role.MAIN) == "cheap"
    assert model(anything, role=Role.SIDE) is None


@pytest.mark.parametrize(
    ("more", "fits"),
    [({"agent_type": "Explore"}, True), ({"agent_type": "Plan"}, False), ({}, False)],
)
def test_choices_are_limited_by_what_they_name(more: dict[str, Any], *, fits: bool) -> None:
    explore = ModelChoice(choices=(Choice(to="cheap", agent_types=("Explore",)),))
    assert (model(explore, **more) == "cheap") is fits
    tasks = ModelChoice(choices=(Choice(to="cheap", kinds=("titles",)),))
    assert [model(tasks, kind=kind) for kind in ("titles", "code")] == ["cheap", None]


def test_the_first_that_fits_decides() -> None:
    both = ModelChoice(choices=(Choice(to="dear", kinds=("code",)), Choice(to="cheap")))
    assert [model(both, kind=kind) for kind in ("code", "titles")] == [None, "cheap"]


def test_never_to_a_dearer_or_unknown_model() -> None:
    assert model(ModelChoice(choices=(Choice(to="dear"),)), model="cheap") is None
    assert decided(ModelChoice(choices=(Choice(to="dear"),)), call(model="cheap"), known()) == []
    assert decided(ModelChoice(choices=(Choice(to="new"),)), call(), known()) == []


def test_a_conversation_that_holds_thinking_stays() -> None:
    asked = replace(call(identity=Identity(role=Role.SUBAGENT)), blocks=(block("thinking", 9, role="assistant"),))
    assert decided(AGENTS, asked, known()) == []
    assert decided(AGENTS, asked, known(calls=2, model="cheap")) != []

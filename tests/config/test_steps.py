from __future__ import annotations

from typing import Any

import pytest

from underspend.config.steps import steps_from
from underspend.core.errors import ConfigError
from underspend.core.strategy import State
from underspend.strategies import BUILTIN
from underspend.strategies.budget import Budget
from underspend.strategies.model_rules import ModelRules, Rule


def at(name: str) -> str:
    return f"file:{name}"


def made(table: Any) -> dict[str, Any]:
    steps, _ = steps_from(table, at)
    return {step.strategy.name: step for step in steps}


def test_the_order_and_the_states_are_the_shelfs() -> None:
    steps, origins = steps_from({}, at)
    assert [type(step.strategy) for step in steps] == list(BUILTIN)
    assert [step.state for step in steps] == [kind.default_state for kind in BUILTIN]
    assert {origin.source for origin in origins} == {"default"}


def test_what_is_said_is_set_and_its_place_is_kept() -> None:
    table = {
        "budget": {"state": "shadow", "day_usd": "5"},
        "model_rules": {"state": "on", "rules": [{"model": "a", "to": "b", "roles": ["subagent"]}]},
    }
    steps = made(table)
    assert steps["budget"].strategy == Budget(day_usd="5")
    assert steps["budget"].state is State.SHADOW
    assert steps["model_rules"].strategy == ModelRules(rules=(Rule("a", "b", ("subagent",)),))
    sources = {origin.name: (origin.value, origin.source) for origin in steps_from(table, at)[1]}
    assert sources["strategies.budget.state"] == ("shadow", "file:strategies.budget.state")
    assert sources["strategies.budget.day_usd"] == ("5", "file:strategies.budget.day_usd")
    assert sources["strategies.budget.action"] == ("warn", "default")


@pytest.mark.parametrize(
    ("table", "where", "said"),
    [
        ([], "strategies", "strategies are tables"),
        ({"budget": 3}, "strategies", "strategies are tables"),
        ({"buget": {}}, "strategies.buget", "no strategy buget"),
        ({"budget": {"limit": 1}}, "strategies.budget.limit", "It has: state, scopes, day_usd, action."),
        ({"budget": {"state": True}}, "strategies.budget.state", "Use off, shadow or on."),
        ({"budget": {"day_usd": 5}}, "strategies.budget", "Expected `str`, got `int`"),
        ({"budget": {"day_usd": "-1"}}, "strategies.budget", "below zero"),
        ({"budget": {"day_usd": "NaN"}}, "strategies.budget", "no amount of dollars"),
        ({"budget": {"action": "shout"}}, "strategies.budget", "Invalid enum value 'shout'"),
        ({"model_rules": {"rules": [{"model": "a"}]}}, "strategies.model_rules", "missing required field `to`"),
    ],
)
def test_a_mistake_is_named_with_its_place(table: Any, where: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        steps_from(table, at)
    assert str(caught.value).startswith(f"file:{where}: ")
    assert said in str(caught.value)

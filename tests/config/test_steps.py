from __future__ import annotations

from typing import Any

import pytest

from underspend.config.steps import steps_from
from underspend.core.errors import ConfigError
from underspend.core.strategy import State
from underspend.strategies import BUILTIN
from underspend.strategies.cap_output import CapOutput
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
        "cap_output": {"state": "shadow", "floor": 5},
        "model_rules": {"state": "on", "rules": [{"model": "a", "to": "b", "roles": ["subagent"]}]},
    }
    steps = made(table)
    assert steps["cap_output"].strategy == CapOutput(floor=5)
    assert steps["cap_output"].state is State.SHADOW
    assert steps["model_rules"].strategy == ModelRules(rules=(Rule("a", "b", ("subagent",)),))
    sources = {origin.name: (origin.value, origin.source) for origin in steps_from(table, at)[1]}
    assert sources["strategies.cap_output.state"] == ("shadow", "file:strategies.cap_output.state")
    assert sources["strategies.cap_output.floor"] == (5, "file:strategies.cap_output.floor")
    assert sources["strategies.cap_output.samples"] == (50, "default")


@pytest.mark.parametrize(
    ("table", "where", "said"),
    [
        ([], "strategies", "strategies are tables"),
        ({"cap_output": 3}, "strategies", "strategies are tables"),
        ({"cap_otput": {}}, "strategies.cap_otput", "no strategy cap_otput"),
        ({"budget": {"day_usd": "25"}}, "strategies.budget", 'Write [budgets.day] with usd = "25"'),
        (
            {"cap_output": {"limit": 1}},
            "strategies.cap_output.limit",
            "It has: state, scopes, headroom_percent",
        ),
        ({"cap_output": {"state": True}}, "strategies.cap_output.state", "Use off, shadow or on."),
        ({"cap_output": {"floor": "5"}}, "strategies.cap_output", "Expected `int`, got `str`"),
        ({"cap_output": {"headroom_percent": 100}}, "strategies.cap_output", "replies need room"),
        ({"auto_model": {"mode": "shout"}}, "strategies.auto_model", "Invalid enum value 'shout'"),
        ({"model_rules": {"rules": [{"model": "a"}]}}, "strategies.model_rules", "missing required field `to`"),
    ],
)
def test_a_mistake_is_named_with_its_place(table: Any, where: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        steps_from(table, at)
    assert str(caught.value).startswith(f"file:{where}: ")
    assert said in str(caught.value)

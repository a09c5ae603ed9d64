import pytest

from core.calls import proposing
from underspend.core.call import Identity, Role
from underspend.core.edits import Warn
from underspend.core.engine import Scoped, Step
from underspend.core.scopes import Scope
from underspend.core.strategy import State

SHOP = Identity(project="shop", key="key-1", role=Role.SUBAGENT, agent_type="Explore")
STRATEGY = proposing(Warn(why="w"))


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ({}, True),
        ({"project": "shop"}, True),
        ({"project": "other"}, False),
        ({"key": "key-1", "role": Role.SUBAGENT, "agent_type": "Explore"}, True),
        ({"project": "shop", "role": Role.MAIN}, False),
        ({"agent_type": "Plan"}, False),
    ],
)
def test_all_that_is_given_has_to_fit(given, fits) -> None:
    assert Scope(state=State.ON, **given).fits(SHOP) is fits


def test_what_is_not_known_fits_nothing_that_names_one() -> None:
    for given in ({"project": "shop"}, {"key": "key-1"}, {"agent_type": "Explore"}):
        assert not Scope(state=State.ON, **given).fits(Identity())


def test_the_first_scope_that_fits_counts() -> None:
    scopes = (Scope(state=State.OFF, role=Role.SUBAGENT), Scope(state=State.ON, project="shop"))
    step = Step(STRATEGY, State.SHADOW, scopes)
    assert step.state_for(SHOP) is State.OFF
    assert step.state_for(Identity(project="shop")) is State.ON
    assert step.state_for(Identity()) is State.SHADOW
    assert step.is_on_somewhere
    assert not Step(STRATEGY, State.SHADOW, scopes[:1]).is_on_somewhere


def test_steps_are_worked_out_once_for_each_caller() -> None:
    plain = Step(STRATEGY, State.SHADOW)
    scoped = Scoped([plain, Step(STRATEGY, State.SHADOW, (Scope(state=State.ON, project="shop"),))])
    found = scoped.of(SHOP)
    assert [step.state for step in found] == [State.SHADOW, State.ON]
    assert all(not step.scopes for step in found)
    assert scoped.of(SHOP) is found
    assert [step.state for step in scoped.of(Identity())] == [State.SHADOW, State.SHADOW]


def test_without_a_scope_there_is_nothing_to_work_out() -> None:
    scoped = Scoped([Step(STRATEGY, State.ON)])
    assert scoped.of(SHOP) is scoped.of(Identity())


def test_callers_without_end_are_forgotten() -> None:
    scoped = Scoped([Step(STRATEGY, State.SHADOW, (Scope(state=State.ON, project="p1"),))])
    for number in range(5_000):
        state = State.ON if number == 1 else State.SHADOW
        assert scoped.of(Identity(project=f"p{number}"))[0].state is state

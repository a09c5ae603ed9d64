import pytest

from underspend.config.scopes import said, scopes_from
from underspend.config.steps import steps_from
from underspend.core.call import Role
from underspend.core.errors import ConfigError
from underspend.core.scopes import Scope
from underspend.core.strategy import State


def at(name: str) -> str:
    return f"file:{name}"


def test_scopes_are_read_in_their_order_and_written_as_they_were() -> None:
    tables = [{"project": "shop", "role": "main", "state": "on"}, {"agent_type": "Explore", "state": "off"}]
    made = scopes_from(tables, "trim_results", at)
    assert made == (
        Scope(state=State.ON, project="shop", role=Role.MAIN),
        Scope(state=State.OFF, agent_type="Explore"),
    )
    assert [said(scope) for scope in made] == tables


def test_they_belong_to_their_strategy_and_show_in_the_settings() -> None:
    table = {"trim_results": {"scopes": [{"key": "key-1", "state": "on"}]}}
    steps, origins = steps_from(table, at)
    step = next(step for step in steps if step.strategy.name == "trim_results")
    assert (step.state, step.scopes) == (State.SHADOW, (Scope(state=State.ON, key="key-1"),))
    shown = {origin.name: (origin.value, origin.source) for origin in origins}
    where = "strategies.trim_results.scopes"
    assert shown[where] == ([{"key": "key-1", "state": "on"}], f"file:{where}")
    assert "strategies.cache_ttl.scopes" not in shown


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"project": "a", "state": "on"}, "scopes are a list of tables. Write [[strategies.cache_ttl.scopes]]"),
        (["shop"], "scopes are a list of tables"),
        ([{"project": "a"}], "scope 1 will not do: Object missing required field `state`"),
        ([{"project": "a", "state": "on"}, {"state": "on"}], "scope 2 fits all calls. Give it one of project, key"),
        ([{"projct": "a", "state": "on"}], "unknown field `projct`"),
        ([{"role": "boss", "state": "on"}], "Invalid enum value 'boss'"),
        ([{"project": "a", "state": "maybe"}], "Invalid enum value 'maybe'"),
    ],
)
def test_a_mistake_is_one_line_that_says_where(tables, words) -> None:
    with pytest.raises(ConfigError) as caught:
        scopes_from(tables, "cache_ttl", at)
    assert str(caught.value).startswith("file:strategies.cache_ttl.scopes: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)

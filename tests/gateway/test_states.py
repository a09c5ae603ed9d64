import pytest

from underspend.config.steps import steps_from
from underspend.core.call import BillingMode, Identity, Role
from underspend.core.strategy import State
from underspend.gateway.holdout import Holdout
from underspend.gateway.states import States

CACHE = ["cache_breakpoints", "cache_ttl"]
KEY = Identity(session="s", role=Role.MAIN, billing=BillingMode.API_KEY)


def states(table=None, **options):
    steps, _ = steps_from(table or {}, lambda name: name)
    return States(steps, routed=True, **options)


def names(steps):
    return [step.strategy.name for step in steps]


def test_by_default_calls_with_a_key_are_cached_and_the_rest_is_told_afterwards() -> None:
    case = states().of(KEY)
    assert names(case.before) == CACHE
    assert case.limits == ()
    assert [strategy.name for strategy in case.acting] == CACHE
    assert "trim_results" in names(case.after)
    assert "auto_model" not in names(case.after)
    assert (case.router, case.place, case.is_left_alone) == (State.SHADOW, 0, False)


@pytest.mark.parametrize(
    ("who", "options", "is_left_alone"),
    [
        (Identity(billing=BillingMode.OAUTH), {}, True),
        (Identity(billing=BillingMode.OAUTH), {"on_plans": True}, False),
        (Identity(role=Role.SIDE), {}, True),
        (KEY, {"holdout": Holdout(1.0)}, True),
    ],
)
def test_what_is_left_alone_is_only_observed(who, options, is_left_alone) -> None:
    case = states(**options).of(who)
    assert case.is_left_alone == is_left_alone
    assert bool(case.acting) != is_left_alone
    if is_left_alone:
        assert names(case.after)[-2:] == CACHE


def test_a_scope_is_a_case_of_its_own_and_each_is_made_once() -> None:
    table = {"trim_results": {"scopes": [{"project": "shop", "state": "on"}]}, "auto_model": {"state": "on"}}
    made = states(table)
    shop = made.of(Identity(project="shop"))
    assert names(shop.before)[0] == "trim_results"
    assert shop is made.of(Identity(project="shop", session="another"))
    assert "trim_results" in names(made.of(KEY).after)
    assert shop.router is State.ON


def test_the_router_stands_where_it_stands_on_the_shelf() -> None:
    on = {name: {"state": "on"} for name in ("model_rules", "cap_output", "auto_model")}
    case = states(on).of(KEY)
    assert names(case.before)[: case.place] == ["model_rules"]

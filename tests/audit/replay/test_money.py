import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.calls_in_a_row import START, line, reply, typed
from underspend.audit.prediction_steps import steps
from underspend.audit.replay.money import paid_for, would_cost
from underspend.core.usage import Unit, Usage
from underspend.pricing.catalogue import catalogue
from underspend.pricing.cost import cost


def billed(usage=(3, 400, 50, 15_000, 90), **more):
    step = next(steps(line(typed(START), reply("m", START, usage, **more)), 0))
    bill = cost(step.reply.metered, at=START)
    return step, bill, paid_for(step, bill, catalogue())


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"model": "claude-sonnet-4-5-20250929"},
        {"web_searches": 3},
        {"speed": "fast", "model": "claude-opus-4-6"},
        {"inference_geo": "us"},
        {"service_tier": "batch"},
    ],
)
def test_the_same_tokens_cost_what_was_billed(more):
    step, bill, paid = billed(**more)
    assert paid.total == bill.total
    assert would_cost(step, paid, step.usage, catalogue()) == bill.total


def test_prices_step_up_with_the_prompt():
    step, _, paid = billed((0, 0, 0, 90_000, 10), model="claude-haiku-5-5")
    longer = would_cost(step, paid, Usage(cache_read=110_000, output=10), catalogue())
    assert longer > 2 * paid.total


def test_another_model_has_its_own_prices():
    step, _, paid = billed()
    other = would_cost(step, paid, step.usage, catalogue(), "claude-haiku-5-5")
    assert other == cost(step.reply.metered, at=START, model="claude-haiku-5-5").total
    assert would_cost(step, paid, step.usage, catalogue(), "claude-unheard-of") == paid.total


def test_a_model_without_a_price_costs_the_same_in_every_world():
    step, _, paid = billed(model="claude-unheard-of")
    assert paid.unpriced
    assert would_cost(step, paid, Usage(input=10**6), catalogue()) == 0


def test_only_the_prompts_own_pass_is_changed():
    units = (Unit("message", Usage(100, 0, 0, 900, 5)), Unit("message", Usage(50, 0, 0, 1000, 7)))
    step, bill, paid = billed(units=units)
    assert paid.plain is None
    less = would_cost(step, paid, Usage(0, 0, 0, 900, 5), catalogue())
    assert bill.total - less == 100 * catalogue().rates("claude-opus-5-5", START).input


tokens = st.integers(0, 10**6)


@given(st.tuples(tokens, tokens, tokens, tokens, tokens))
def test_the_quick_way_gives_the_bill_of_those_tokens(usage):
    step, _, paid = billed()
    expected = cost(reply("m", START, usage).metered, at=START).total
    assert would_cost(step, paid, Usage(*usage), catalogue()) == expected

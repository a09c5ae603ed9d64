from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from underspend.core.call import Call
from underspend.core.ports import Pricing
from underspend.core.usage import Metered, Unit, Usage
from underspend.pricing.catalogue import catalogue
from underspend.pricing.cost import cost
from underspend.pricing.forecast import Forecast

NOW = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 10**6
CLAUDE = [model.id for model in catalogue().models()]
TOKENS = st.integers(0, 400_000)


def call(model: str, *, provider: str = "anthropic", tokens: int = 0, ceiling: int = 0, output: int = 0) -> Call:
    return Call(
        id="c",
        time=NOW,
        provider=provider,
        endpoint="messages",
        model=model,
        max_output=output,
        prompt_tokens=tokens,
        prompt_ceiling=ceiling,
    )


def test_the_estimate_is_the_prompt_at_the_input_rate() -> None:
    pricing: Pricing = Forecast()
    assert pricing.estimate(call("claude-opus-5-5", tokens=1000)) == 1000 * 4_000_000
    assert pricing.estimate(call("claude-haiku-5-5", tokens=100_001)) == 100_001 * 500_000


def test_an_unlisted_model_has_no_estimate_but_a_worst_case() -> None:
    unknown = call("claude-opus-9", tokens=10, ceiling=10, output=10)
    top = catalogue().dearest(NOW)
    assert Forecast().estimate(unknown) is None
    assert Forecast().worst_case(unknown) == 10 * top.cache_write_1h + 10 * (top.output or 0)


def test_the_worst_case_is_the_long_write_of_a_long_prompt_and_all_the_output() -> None:
    long = call("claude-haiku-5-5", ceiling=100_001, output=10)
    assert Forecast().worst_case(long) == 100_001 * 1_000_000 + 10 * 2_500_000
    assert Forecast().worst_case(call("claude-haiku-5-5", ceiling=100_000)) == 100_000 * 200_000


def test_without_a_limit_the_models_own_counts_where_limits_are_optional() -> None:
    openai = call("gpt-5.4", provider="openai", ceiling=1)
    model = catalogue().find("gpt-5.4")
    assert model is not None
    assert Forecast().worst_case(openai) > (model.context or 0) * 10**6
    assert Forecast().worst_case(call("claude-opus-5-5", ceiling=1)) == 8_000_000


@given(
    model=st.sampled_from(CLAUDE),
    counts=st.tuples(TOKENS, TOKENS, TOKENS, TOKENS, TOKENS),
    slack=st.integers(0, 1000),
    fast=st.booleans(),
    geo=st.booleans(),
)
def test_no_bill_exceeds_the_worst_case(
    model: str, counts: tuple[int, int, int, int, int], slack: int, *, fast: bool, geo: bool
) -> None:
    usage = Usage(*counts)
    speed = "fast" if fast else None
    asked = Call(
        id="c",
        time=NOW,
        provider="anthropic",
        endpoint="messages",
        model=model,
        max_output=usage.output + slack,
        prompt_ceiling=usage.prompt + slack,
        speed=speed,
    )
    metered = Metered(
        provider="anthropic",
        model=model,
        units=(Unit("message", usage),),
        reported=usage,
        speed=speed,
        inference_geo="us" if geo else None,
    )
    # Each of up to five lines is rounded by itself.
    bill = cost(metered, at=NOW)
    assert bill.total <= Forecast(places=("geo:us",) if geo else ()).worst_case(asked) + len(bill.lines)

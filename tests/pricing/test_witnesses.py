"""The price data against the sources it is made from, by their own arithmetic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest
from genai_prices import Usage as GenaiUsage
from genai_prices import types as genai
from genai_prices.data import providers as genai_providers

from underspend.core.usage import Metered, Unit, Usage
from underspend.pricing.catalogue import catalogue, sheet
from underspend.pricing.cost import cost
from underspend.pricing.normalise import PROVIDERS

WITNESSES = {provider.id: provider for provider in genai_providers}
TODAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROMPTS = (10, 100_000, 100_001, 200_000, 200_001, 272_001, 600_000)
# Rows of the overlay that replace genai-prices' own: what they fix is said there, beside each.
REPLACED = {"claude-sonnet-5-5", "deepseek-flash", "deepseek-v4-flash", "deepseek-v4-pro"}


def micros(when: datetime) -> int:
    return int(when.timestamp()) * 10**6


def priced(provider: str) -> Iterator[genai.ModelInfo]:
    listed = {model.id for model in sheet(provider).models}
    yield from (model for model in WITNESSES[provider].models if model.id in listed)


def dates(model: genai.ModelInfo) -> set[datetime]:
    """Noon today and around each day a price of the model changes, and an hour that is peak somewhere."""
    constraints = [each.constraint for each in model.prices] if isinstance(model.prices, list) else []
    starts = [each.start_date for each in constraints if isinstance(each, genai.StartDateConstraint)]
    around = {datetime.combine(day, time(12), UTC) + timedelta(days=off) for day in starts for off in (-1, 0)}
    return {TODAY, TODAY - timedelta(hours=10), *around}


def ours(provider: str, model: str, usage: Usage, when: datetime, **terms: Any) -> Decimal:
    reply = Metered(provider=provider, model=model, units=(Unit("message", usage),), reported=usage, **terms)
    return Decimal(cost(reply, at=micros(when)).total) / 10**12


def theirs(provider: str, model: genai.ModelInfo, usage: Usage, when: datetime, context: Any = None) -> Decimal:
    reported = {
        "input_tokens": usage.prompt,
        "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_write_5m_tokens": usage.cache_write_5m,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "cache_read_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    # Kinds of tokens that none of our lanes carries are absent from this usage: zero, not missing.
    spent = GenaiUsage(**reported, output_reasoning_tokens=0)
    return model.calc_price(spent, WITNESSES[provider], genai_request_timestamp=when, price_context=context).total_price


def usages(model: genai.ModelInfo, prompt: int) -> Iterator[Usage]:
    yield Usage(input=prompt)
    yield Usage(cache_write_5m=prompt)
    yield Usage(cache_read=prompt)
    prices = model.get_prices(TODAY)
    if prices.output_mtok is not None:
        yield Usage(input=prompt, output=prompt)
    if prices.cache_write_1h_mtok is not None:
        yield Usage(cache_write_1h=prompt)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_standard_rates_are_those_of_genai_prices(provider: str) -> None:
    for model in priced(provider):
        if model.id in REPLACED:
            continue
        for when in dates(model):
            for prompt in PROMPTS:
                for usage in usages(model, prompt):
                    # Half a pico-dollar a token covers the repeating decimals of OpenRouter and nothing else.
                    slack = Decimal(prompt) / 2 / 10**12
                    gap = ours(provider, model.id, usage, when) - theirs(provider, model, usage, when)
                    assert abs(gap) <= slack, (model.id, when, usage)


@pytest.mark.parametrize("model", sorted(REPLACED))
def test_replaced_rows_agree_where_genai_prices_can_be_right(model: str) -> None:
    provider = "anthropic" if model.startswith("claude") else "deepseek"
    witness = next(each for each in WITNESSES[provider].models if each.id == model)
    for when in (TODAY, TODAY - timedelta(hours=10)):  # off-peak and peak on a working day
        usage = Usage(input=1000, cache_read=1000, output=1000)
        assert ours(provider, model, usage, when) == theirs(provider, witness, usage, when)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_other_tiers_are_those_of_genai_prices(provider: str) -> None:
    for model in priced(provider):
        for variant in model.price_variants or ():
            ((key, name),) = variant.when.items()
            if key not in {"processing", "service_tier", "speed"}:
                continue
            day = getattr(variant.constraint, "start_date", TODAY.date())
            when = datetime.combine(day, time(12), UTC)
            terms = {"speed": name} if key == "speed" else {"service_tier": name}
            for prompt in PROMPTS:
                for usage in usages(model, prompt):
                    gap = ours(provider, model.id, usage, when, **terms) - theirs(
                        provider, model, usage, when, {key: name}
                    )
                    assert gap == 0, (model.id, name, usage)


def claude_on_clouds() -> list[tuple[str, str]]:
    return [
        (provider, model.id)
        for provider in ("aws", "google")
        for model in WITNESSES[provider].models
        if "claude-" in model.id and catalogue().find(model.id.removeprefix("regional.")) is not None
    ]


@pytest.mark.parametrize(("provider", "name"), claude_on_clouds())
def test_claude_on_a_cloud_costs_anthropics_price_times_the_regional_factor(provider: str, name: str) -> None:
    witness = next(each for each in WITNESSES[provider].models if each.id == name)
    # The oldest ids on a cloud list no cache prices there.
    cached = 0 if witness.get_prices(TODAY).cache_read_mtok is None else 1000
    usage = Usage(input=1000, cache_write_5m=cached, cache_read=cached, output=1000)
    reply = Metered(
        provider=provider,
        model=name.removeprefix("regional."),
        units=(Unit("message", usage),),
        reported=usage,
    )
    total = cost(reply, at=micros(TODAY), regional=name.startswith("regional.")).total
    assert Decimal(total) / 10**12 == theirs(provider, witness, usage, TODAY)


def test_what_genai_prices_lists_and_we_do_not_is_said() -> None:
    left_out = {model.id for model in WITNESSES["anthropic"].models} - {model.id for model in sheet("anthropic").models}
    assert left_out <= set(sheet("anthropic").excluded)
    assert all(sheet("anthropic").excluded.values())


def test_every_disagreement_with_litellm_is_explained() -> None:
    raw = (resources.files("underspend.pricing") / "data" / "witness.json").read_text(encoding="utf-8")
    report = json.loads(raw)
    assert "anthropic" not in report["disagreed"]
    assert report["agreed"]["anthropic"] > 20
    for models in report["disagreed"].values():
        for model, difference in models.items():
            assert difference["why"], model

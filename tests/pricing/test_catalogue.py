from __future__ import annotations

from datetime import UTC, datetime

import pytest

from underspend.core.usage import Lane
from underspend.pricing.catalogue import Catalogue, catalogue, sheet
from underspend.pricing.normalise import PROVIDERS
from underspend.pricing.table import Rates


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**6


NOW = instant("2026-11-20T12:00")


def usd(*per_mtok: float) -> Rates:
    return Rates(*(round(each * 10**6) for each in per_mtok))


@pytest.mark.parametrize(
    ("model", "rates"),
    [
        ("claude-fable-5-2", usd(8, 10, 16, 0.2, 40)),
        ("claude-mythos-5-2", usd(8, 10, 16, 0.2, 40)),
        ("claude-fable-5-1", usd(10, 12.5, 20, 0.25, 50)),
        ("claude-mythos-5-1", usd(10, 12.5, 20, 0.25, 50)),
        ("claude-fable-5", usd(10, 12.5, 20, 1, 50)),
        ("claude-mythos-5", usd(10, 12.5, 20, 1, 50)),
        ("claude-opus-5-5", usd(4, 5, 8, 0.2, 20)),
        ("claude-opus-5", usd(5, 6.25, 10, 0.5, 25)),
        ("claude-opus-4-8", usd(5, 6.25, 10, 0.5, 25)),
        ("claude-opus-4-7", usd(5, 6.25, 10, 0.5, 25)),
        ("claude-opus-4-6", usd(5, 6.25, 10, 0.5, 25)),
        ("claude-opus-4-5", usd(5, 6.25, 10, 0.5, 25)),
        ("claude-sonnet-5-5", usd(2, 2.5, 4, 0.1, 10)),
        ("claude-sonnet-5", usd(2, 2.5, 4, 0.2, 10)),
        ("claude-sonnet-4-6", usd(3, 3.75, 6, 0.3, 15)),
        ("claude-sonnet-4-5", usd(3, 3.75, 6, 0.3, 15)),
        ("claude-haiku-5-5", usd(0.1, 0.125, 0.2, 0.01, 0.5)),
        ("claude-haiku-4-5", usd(1, 1.25, 2, 0.1, 5)),
        ("claude-opus-4-1", usd(15, 18.75, 30, 1.5, 75)),
    ],
)
def test_claude_costs_what_the_price_page_says(model: str, rates: Rates) -> None:
    assert catalogue().rates(model, NOW) == rates


def test_only_haiku_5_5_has_a_long_prompt_price_today() -> None:
    dearer = {model.id for model in catalogue().models() if model.rates(NOW, 999_999) != model.rates(NOW, 1)}
    # Sonnet 4.5 keeps its tier for old replies: its window ends below the threshold since 2026-04-30.
    assert dearer == {"claude-haiku-5-5", "claude-sonnet-4-5"}
    assert catalogue().rates("claude-haiku-5-5", NOW, 100_000) == usd(0.1, 0.125, 0.2, 0.01, 0.5)
    assert catalogue().rates("claude-haiku-5-5", NOW, 100_001) == usd(0.5, 0.625, 1, 0.05, 2.5)


@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-sonnet-4-6"])
def test_the_200k_premium_ended_on_2026_03_13(model: str) -> None:
    before, after = instant("2026-03-12T23:59"), instant("2026-03-13T00:00")
    long, short = catalogue().rates(model, before, 200_001), catalogue().rates(model, before, 200_000)
    assert long is not None
    assert short is not None
    assert (long.input, long.output) == (short.input * 2, (short.output or 0) * 3 // 2)
    assert catalogue().rates(model, after, 200_001) == short


def test_sonnet_5_5_reads_were_halved_on_2026_10_07() -> None:
    assert catalogue().rates("claude-sonnet-5-5", instant("2026-10-06T23:59:59")) == usd(2, 2.5, 4, 0.2, 10)
    assert catalogue().rates("claude-sonnet-5-5", instant("2026-10-07")) == usd(2, 2.5, 4, 0.1, 10)


@pytest.mark.parametrize(
    ("when", "input_rate"),
    [
        ("2026-08-16T15:59", 435_000),
        ("2026-08-16T16:00", 660_000),
        ("2026-08-22T02:00", 1_320_000),  # a Saturday before the weekend rule
        ("2026-08-23T02:00", 660_000),
        ("2026-11-20T00:59", 660_000),
        ("2026-11-20T01:00", 1_320_000),
        ("2026-11-20T04:00", 660_000),
        ("2026-11-20T09:59", 1_320_000),
        ("2026-11-21T02:00", 660_000),
        ("2026-10-01T02:00", 660_000),  # National Day
    ],
)
def test_deepseek_doubles_at_peak(when: str, input_rate: int) -> None:
    rates = catalogue().rates("deepseek-v4-pro", instant(when))
    assert rates is not None
    assert rates.input == input_rate


def test_fast_has_its_own_table_and_falls_back_without_one() -> None:
    assert catalogue().rates("claude-opus-5-5", NOW, 0, "fast") == usd(8, 10, 16, 0.4, 40)
    assert catalogue().rates("claude-fable-5-2", NOW, 0, "fast") == usd(16, 20, 32, 0.4, 80)
    assert catalogue().rates("claude-opus-4-7", NOW, 0, "fast") == usd(5, 6.25, 10, 0.5, 25)


def test_limits_stand_beside_the_prices() -> None:
    model = catalogue().find("claude-opus-4-8")
    assert model is not None
    assert (model.min_cache, model.context, model.max_output) == (1024, 1_000_000, 128_000)
    retired = catalogue().find("claude-sonnet-4-5")
    assert retired is not None
    assert str(retired.retired_on) == "2026-11-30"


def test_overrides_win_for_any_provider_and_leave_the_shipped_catalogue_alone() -> None:
    mine = catalogue().with_overrides({"claude-opus-5-5": {"input": "1", "output": "2"}})
    for provider in (None, "anthropic", "unheard-of"):
        found = mine.find("claude-opus-5-5", provider=provider)
        assert found is not None
        assert found.standard_rates(NOW).input == 10**6
    again = mine.with_overrides({"other": {"input": "1", "output": "2"}})
    assert again.find("other") is not None
    assert again.rates("claude-opus-5-5[1m]", NOW, 0) == usd(1, 1, 1, 1, 2)
    assert catalogue().find("other") is None


def test_the_dearest_bounds_every_model() -> None:
    for provider in PROVIDERS:
        top = catalogue().dearest(NOW, provider=provider)
        for model in catalogue().models(provider=provider):
            for variant in (None, *model.variants):
                rates = model.rates(NOW, 10**9, variant)
                if rates is not None:
                    assert rates.dearest_prompt <= top.dearest_prompt
                    assert (rates.output or 0) <= (top.output or 0)
    assert catalogue().dearest(NOW, provider="unheard-of") == catalogue().dearest(NOW)


def test_a_provider_without_prices_has_no_models() -> None:
    assert catalogue().models(provider="unheard-of") == ()
    assert catalogue().checked(provider="unheard-of") is None


def test_prices_say_when_they_were_checked() -> None:
    assert str(catalogue().checked()) == "2026-11-20"


def test_memory_stays_bounded_under_made_up_names() -> None:
    fresh = Catalogue()
    for number in range(5000):
        fresh.listed(f"made-up-{number}")
    assert len(fresh._found) <= 4096
    assert len(fresh._listed) <= 4096


def test_list_prices_follow_the_times_and_prompts_they_are_asked_for_one_after_the_other() -> None:
    prices = catalogue()
    for model in ("claude-sonnet-4-0", "claude-opus-4-6", "claude-haiku-5-5", "claude-opus-5-5"):
        listed = prices.listed(model, provider="anthropic")
        assert listed is not None
        assert listed.name == model
        for day in ("2025-06-01", "2026-03-12T23:59:59", "2026-03-13", "2025-08-12", "2026-11-20", "2025-06-01"):
            for prompt in (0, 100_000, 100_001, 200_000, 200_001, 900_000, 1):
                rates = prices.rates(model, instant(day), prompt)
                assert rates is not None
                assert listed.rates(instant(day), prompt) == tuple(rates.lane(lane) for lane in Lane)
    assert prices.listed("unheard-of") is None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_number_has_a_source_and_a_date(provider: str) -> None:
    prices = sheet(provider)
    assert prices.source
    assert prices.checked
    assert prices.models
    for factor in prices.factors.values():
        assert factor.source
        assert factor.checked
    ids = [model.id.lower() for model in prices.models]
    assert len(ids) == len(set(ids))
    assert [model.id for model in prices.models] == sorted(model.id for model in prices.models)
    for model in prices.models:
        assert all(name in prices.factors for name in model.allows)
        assert model.provider == provider

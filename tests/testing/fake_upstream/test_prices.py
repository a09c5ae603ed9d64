from __future__ import annotations

from decimal import Decimal

import pytest

from underspend.testing.fake_upstream.prices import LANES, PriceList

PRICES = PriceList()


def usd(model: str, *, prompt: int = 0, speed: str = "standard") -> list[Decimal]:
    rates = PRICES.rates(model, prompt, speed)
    assert rates is not None
    return [Decimal(rates[lane]) / 10**6 for lane in LANES]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-opus-5-5", "4 5 8 0.20 20"),
        ("claude-opus-5", "5 6.25 10 0.50 25"),
        ("claude-fable-5-2", "8 10 16 0.20 40"),
        ("claude-fable-5-1", "10 12.5 20 0.25 50"),
        ("claude-sonnet-5-5", "2 2.5 4 0.10 10"),
        ("claude-sonnet-4-5", "3 3.75 6 0.30 15"),
        ("claude-haiku-4-5-20251001", "1 1.25 2 0.10 5"),
    ],
)
def test_rates_in_dollars_per_million(model: str, expected: str) -> None:
    assert usd(model) == [Decimal(part) for part in expected.split()]


def test_haiku_is_five_times_dearer_above_100k_prompt_tokens() -> None:
    assert usd("claude-haiku-5-5", prompt=100_000) == [Decimal(p) for p in ["0.10", "0.125", "0.20", "0.01", "0.50"]]
    assert usd("claude-haiku-5-5", prompt=100_001) == [p * 5 for p in usd("claude-haiku-5-5")]


def test_fast_mode_has_its_own_table_and_the_rest_ignore_it() -> None:
    assert usd("claude-opus-5-5", speed="fast")[0] == 8
    assert usd("claude-sonnet-5-5", speed="fast") == usd("claude-sonnet-5-5")


def test_ids_match_exactly_and_never_by_prefix() -> None:
    assert PRICES.rates("claude-opus-5-5-x") is None
    assert PRICES.rates("claude-opus") is None
    assert PRICES.find("claude-opus-4-5") is PRICES.find("claude-opus-4-5-20251101")


def test_minimum_cacheable_prefix_is_per_model() -> None:
    wanted = {
        "claude-opus-5-5": 512,
        "claude-opus-4-8": 1024,
        "claude-opus-4-7": 2048,
        "claude-haiku-4-5": 4096,
        "unknown": 1024,
    }
    assert {model: PRICES.min_cache_tokens(model) for model in wanted} == wanted


@pytest.mark.parametrize("model", PRICES.models, ids=lambda model: model.id)
def test_every_row_is_whole_and_its_write_prices_are_the_published_multiples(model: object) -> None:
    name = getattr(model, "id", "")
    for speed in ("standard", "fast"):
        fresh, five, hour, read, out = usd(name, speed=speed)
        assert (five, hour) == (fresh * Decimal("1.25"), fresh * 2)
        assert 0 < read < fresh < out


def test_the_list_says_where_it_is_from() -> None:
    assert PRICES.source
    assert PRICES.checked == "2026-11-20"
    assert PRICES.web_search == 10**10

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.evidence import Evidence
from underspend.core.money import from_usd
from underspend.core.reply import Bill
from underspend.core.usage import Lane, Metered, Unit, Usage
from underspend.pricing.catalogue import catalogue
from underspend.pricing.cost import UNNAMED, cost, plain_bill

NOW = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 10**6
MODELS = sorted(model.id for model in catalogue().models())
TOKENS = st.integers(0, 2_000_000)
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS)
UNITS = st.builds(
    Unit,
    st.sampled_from(["message", "compaction", "advisor_message", "fallback_message"]),
    USAGES,
    st.none() | st.sampled_from([*MODELS, "unheard-of"]),
    st.booleans(),
)


def metered(*units: Unit, model: str | None = "claude-opus-5-5", **more: Any) -> Metered:
    return Metered(**{"provider": "anthropic", "model": model, "units": units, "reported": Usage(), **more})


def message(*lanes: int, model: str | None = None, billed: bool = True) -> Unit:
    return Unit("message", Usage(*lanes), model, billed)


REPLIES = st.builds(
    Metered,
    provider=st.just("anthropic"),
    model=st.sampled_from([*MODELS, "unheard-of"]),
    units=st.lists(UNITS, min_size=1, max_size=4).map(tuple),
    reported=st.just(Usage()),
    web_searches=st.integers(0, 9),
    service_tier=st.sampled_from([None, "standard", "batch", "priority"]),
    speed=st.sampled_from([None, "standard", "fast"]),
    inference_geo=st.sampled_from([None, "us", "global", "not_available"]),
    refused_free=st.booleans(),
    fallback_credit=st.booleans(),
)


@given(REPLIES)
def test_lines_and_extras_sum_to_the_total(reply: Metered) -> None:
    bill = cost(reply, at=NOW)
    assert bill.total == sum(line.amount for line in bill.lines) + sum(amount for _, amount in bill.extras)
    assert all(line.amount >= 0 and line.tokens > 0 for line in bill.lines)


@given(REPLIES | st.builds(replace, REPLIES, units=st.tuples(UNITS), speed=st.none(), service_tier=st.none()))
def test_a_plain_reply_is_billed_as_if_its_own_model_had_been_named(reply: Metered) -> None:
    assert cost(reply, at=NOW) == cost(reply, at=NOW, model=reply.model)


@given(
    REPLIES | st.builds(replace, REPLIES, units=st.tuples(UNITS), speed=st.none(), service_tier=st.none()),
    st.none() | st.sampled_from([*MODELS, "unheard-of"]),
)
def test_the_quick_way_of_plain_replies_leads_to_the_same_bill(reply: Metered, model: str | None) -> None:
    # A reply of two units never takes it; the second adds nothing.
    nothing = replace(reply.units[0], usage=Usage())
    assert cost(reply, at=NOW, model=model) == cost(replace(reply, units=(*reply.units, nothing)), at=NOW, model=model)


@given(REPLIES)
def test_every_token_is_on_a_line_or_its_model_is_named(reply: Metered) -> None:
    bill = cost(reply, at=NOW)
    for index, unit in enumerate(reply.units):
        shown = sum(line.tokens for line in bill.lines if line.unit == index)
        owner = unit.model or reply.model
        assert shown == unit.usage.prompt + unit.usage.output or owner in bill.unpriced


@given(usage=USAGES, model=st.sampled_from(MODELS), batch=st.booleans(), us=st.booleans())
def test_modifiers_multiply_as_rationals_and_round_once(usage: Usage, model: str, *, batch: bool, us: bool) -> None:
    reply = metered(Unit("message", usage), model=model, inference_geo="us" if us else None)
    bill = cost(reply, at=NOW, batch=batch)
    known = catalogue().find(model)
    assert known is not None
    factor = Fraction(*known.factors["batch"]) if batch else Fraction(1)
    factor *= Fraction(*known.factors.get("geo:us", (1, 1))) if us else Fraction(1)
    rates = known.standard_rates(NOW, usage.prompt)
    for line in bill.lines:
        assert line.amount == round(factor * line.tokens * (rates.lane(line.lane) or 0))


def test_each_lane_has_its_own_rate() -> None:
    bill = cost(metered(message(1, 10, 100, 1000, 10_000)), at=NOW)
    assert [(line.lane, line.tokens, line.rate) for line in bill.lines] == [
        (Lane.INPUT, 1, 4_000_000),
        (Lane.CACHE_WRITE_5M, 10, 5_000_000),
        (Lane.CACHE_WRITE_1H, 100, 8_000_000),
        (Lane.CACHE_READ, 1000, 200_000),
        (Lane.OUTPUT, 10_000, 20_000_000),
    ]
    assert bill.total == from_usd("0.201054")
    assert bill.evidence is Evidence.BILLED
    assert bill.notes == ()


@pytest.mark.parametrize(
    ("reply", "usd"),
    [
        # Recorded replies (compaction, advisor, fallback) and what they cost, from the project's golden bills.
        (
            metered(
                Unit("message", Usage(408), "claude-fable-5", billed=False),
                Unit("fallback_message", Usage(412, output=264), "claude-opus-4-8"),
                model="claude-opus-4-8",
            ),
            "0.00866",
        ),
        (metered(message(25, 0, 0, 0, 8), model="claude-sonnet-4-5", fallback_credit=True), "0.000195"),
        (metered(message(28, 0, 0, 0, 106), model="claude-fable-5", stop_reason="refusal"), "0.00558"),
        (metered(message(18, 0, 0, 0, 5), model="claude-fable-5", refused_free=True), "0"),
        (metered(message(567, 0, 0, 0, 57), model="claude-haiku-4-5-20251001"), "0.000852"),
        # Tiers, places and tables.
        (metered(message(100_000), model="claude-haiku-5-5"), "0.01"),
        (metered(message(1, 0, 0, 100_000), model="claude-haiku-5-5"), "0.0050005"),
        (metered(message(100_001), model="claude-haiku-5-5"), "0.0500005"),
        (metered(message(10**6), service_tier="batch"), "2"),
        (metered(message(10**6), inference_geo="us"), "4.4"),
        (metered(message(10**6), inference_geo="us", model="claude-opus-4-5"), "5"),
        (metered(message(10**6), inference_geo="us", service_tier="batch"), "2.2"),
        (metered(message(10**6, 0, 0, 10**6), speed="fast"), "8.4"),
        (metered(message(10**6), speed="fast", inference_geo="us"), "8.8"),
        (metered(message(10**6), service_tier="priority"), "4"),
        (metered(message(10**6), web_searches=3, service_tier="batch", inference_geo="us"), "2.23"),
        (metered(message(10**6), provider="openai", model="gpt-5.4", service_tier="flex"), "2.5"),
        (metered(message(10**5), provider="openai", model="gpt-5.4", service_tier="priority"), "0.5"),
        (metered(message(10**6), provider="openai", model="gpt-5.4", service_tier="default"), "5"),
        (metered(message(10**6), provider="gemini", model="gemini-3.8-flash", service_tier="flex"), "0.375"),
        (metered(message(10**6), provider="gemini", model="gemini-3.8-flash", service_tier="priority"), "1.35"),
    ],
)
def test_a_known_bill(reply: Metered, usd: str) -> None:
    bill = cost(reply, at=NOW)
    assert bill.total == from_usd(usd)
    assert bill.priced


def test_the_long_prompt_price_goes_by_each_unit() -> None:
    bill = cost(metered(message(60_000), message(60_000), model="claude-haiku-5-5"), at=NOW)
    assert bill.total == from_usd("0.012")


def test_batch_can_be_said_by_the_caller_but_counts_once() -> None:
    plain = metered(message(10**6))
    assert cost(plain, at=NOW, batch=True).total == from_usd(2)
    assert cost(replace(plain, service_tier="batch"), at=NOW, batch=True).total == from_usd(2)


def test_a_cloud_region_costs_more_only_when_asked() -> None:
    reply = metered(message(10**6), model="us.anthropic.claude-opus-5-5", provider="bedrock")
    assert cost(reply, at=NOW).total == from_usd(4)
    assert cost(reply, at=NOW, regional=True).total == from_usd("4.4")
    assert cost(metered(message(10**6), model="claude-opus-4-1"), at=NOW, regional=True).total == from_usd(15)


def test_an_unknown_model_is_named_and_never_free_in_silence() -> None:
    bill = cost(metered(message(1000), message(10, model="claude-opus-5"), model="claude-2.1"), at=NOW)
    assert bill.unpriced == ("claude-2.1",)
    assert not bill.priced
    assert bill.total == 10 * 5_000_000
    assert cost(metered(message(1), model=None), at=NOW).unpriced == (UNNAMED,)


def test_what_is_not_charged_keeps_its_lines_at_zero() -> None:
    refused = cost(metered(message(18, 0, 0, 0, 5), refused_free=True, web_searches=1), at=NOW)
    assert [(line.tokens, line.amount) for line in refused.lines] == [(18, 0), (5, 0)]
    assert refused.total == 0
    assert refused.notes == ("refused before output: not charged",)
    declined = cost(metered(message(7, model="unheard-of", billed=False)), at=NOW)
    assert (declined.lines[0].model, declined.total, declined.priced) == ("unheard-of", 0, True)
    assert declined.notes == ("message declined: not charged",)


def test_another_model_replaces_the_main_one_only() -> None:
    reply = metered(
        message(10**6),
        Unit("advisor_message", Usage(10**6), "claude-opus-4-8"),
        message(10**6, model="claude-opus-5-5"),
    )
    assert cost(reply, at=NOW, model="claude-haiku-4-5").total == from_usd(1 + 5 + 1)
    assert cost(reply, at=NOW, model="unheard-of").unpriced == ("unheard-of",)


def test_a_redeemed_credit_is_in_the_usage_already() -> None:
    reply = metered(message(0, 1000, 0, 9000))
    redeemed = cost(replace(reply, fallback_credit=True), at=NOW)
    assert redeemed.total == cost(reply, at=NOW).total
    assert redeemed.notes == ("fallback credit redeemed: its refund is in the usage",)


@pytest.mark.parametrize("lacking", [{"complete": False}, {"has_usage": False}])
def test_a_reply_not_seen_to_its_end_is_an_estimate(lacking: dict[str, bool]) -> None:
    assert cost(metered(message(1), **lacking), at=NOW).evidence is Evidence.ESTIMATED


def test_a_tier_without_a_price_is_said() -> None:
    bill = cost(metered(message(10**6), speed="fast", model="claude-opus-4-7"), at=NOW)
    assert bill.total == from_usd(5)
    assert bill.notes == ("claude-opus-4-7 lists no fast price: standard rates",)


def test_a_search_without_a_price_is_said() -> None:
    bill = cost(metered(message(1), provider="deepseek", model="deepseek-flash", web_searches=1), at=NOW)
    assert bill.unpriced == ("deepseek-flash web search",)


def test_a_lane_the_model_lacks_is_said() -> None:
    bill = cost(metered(message(1, 0, 0, 0, 1), provider="openai", model="text-embedding-3-small"), at=NOW)
    assert bill.unpriced == ("text-embedding-3-small output",)


def test_a_fee_per_request_is_added() -> None:
    paid = next(model for model in catalogue().models(provider="perplexity") if model.per_request)
    bill = cost(metered(message(1), provider="perplexity", model=paid.id), at=NOW)
    assert ("request", paid.per_request) in bill.extras


def test_prices_are_those_of_the_day() -> None:
    before = int(datetime(2026, 10, 6, tzinfo=UTC).timestamp()) * 10**6
    reply = metered(message(0, 0, 0, 10**6), model="claude-sonnet-5-5")
    assert (cost(reply, at=before).total, cost(reply, at=NOW).total) == (from_usd("0.2"), from_usd("0.1"))


def test_your_own_prices_count() -> None:
    mine = catalogue().with_overrides({"local": {"input": "0", "output": "1"}})
    bill = cost(metered(message(5, 0, 0, 0, 10**6), model="local"), at=NOW, catalogue=mine)
    assert bill.total == from_usd(1)
    assert bill.notes == ("your own price",)


ORDINARY = {"web_searches": st.just(0), "refused_free": st.just(False), "fallback_credit": st.just(False)}


@given(st.builds(replace, REPLIES, units=st.tuples(UNITS), **ORDINARY), st.integers(NOW - 10**14, NOW))
def test_a_plain_bill_is_the_one_that_is_drafted_line_by_line(reply: Metered, at: int) -> None:
    plain = plain_bill(reply, at, catalogue())
    if plain is not None:
        nothing = replace(reply.units[0], usage=Usage())
        assert plain == cost(replace(reply, units=(*reply.units, nothing)), at=at)
        assert plain.by_lane == Bill(lines=plain.lines).by_lane

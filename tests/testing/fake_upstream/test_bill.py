from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from underspend.testing.fake_upstream.bill import Bill, Counts, Terms, Unit, charge
from underspend.testing.fake_upstream.prices import PriceList

PRICES = PriceList()
DOLLAR = 10**12
counts = st.builds(Counts, *[st.integers(0, 2_000_000)] * 5)


def bill(*units: Unit, **terms: object) -> Bill:
    return charge(units, Terms(**terms), PRICES, web_search=PRICES.web_search)  # type: ignore[arg-type]


def test_the_clients_own_example() -> None:
    unit = Unit("claude-opus-4-8", Counts(1000, 2000, 3000, 4000, 500))
    assert bill(unit).picodollars == 62 * DOLLAR // 1000
    assert bill(Unit("claude-haiku-4-5", unit.counts)).picodollars == 124 * DOLLAR // 10_000


def test_modifiers_multiply_and_web_searches_do_not() -> None:
    unit = Unit("claude-opus-5-5", Counts(input=1_000_000))
    assert bill(unit).picodollars == 4 * DOLLAR
    assert bill(unit, batch=True).picodollars == 2 * DOLLAR
    assert bill(unit, us_geo=True).picodollars == 44 * DOLLAR // 10
    assert bill(unit, batch=True, us_geo=True, web_searches=3).picodollars == 22 * DOLLAR // 10 + 3 * 10**10
    assert bill(unit, speed="fast").picodollars == 8 * DOLLAR


def test_opus_batch_read_is_a_tenth_of_a_dollar_per_million() -> None:
    assert bill(Unit("claude-opus-5-5", Counts(cache_read=10**6)), batch=True).picodollars == DOLLAR // 10


def test_declined_units_and_free_replies_cost_nothing() -> None:
    declined = Unit("claude-fable-5", Counts(input=408), declined=True)
    served = Unit("claude-opus-4-8", Counts(input=412, output=264))
    assert bill(declined, served).picodollars == 8660 * 10**6
    assert bill(served, free=True) == Bill()


def test_the_long_prompt_step_is_taken_per_unit() -> None:
    below = Unit("claude-haiku-5-5", Counts(input=100_000))
    above = Unit("claude-haiku-5-5", Counts(input=100_000, cache_read=1))
    assert bill(below).picodollars == 10**10
    assert bill(above).picodollars == 5 * 10**10 + 50_000
    assert bill(below, above).picodollars == bill(below).picodollars + bill(above).picodollars


def test_an_unknown_model_is_named_and_never_guessed() -> None:
    assert bill(Unit("claude-next", Counts(input=5))) == Bill(0, ("claude-next",))
    assert (Bill(1, ("a",)) + Bill(2, ("b", "a"))) == Bill(3, ("a", "b"))


@given(one=counts, other=counts)
def test_billing_is_additive_below_a_price_step(one: Counts, other: Counts) -> None:
    model = "claude-sonnet-5-5"
    together = bill(Unit(model, one), Unit(model, other))
    assert together == bill(Unit(model, one)) + bill(Unit(model, other)) == bill(Unit(model, one + other))


@given(used=counts)
def test_every_modifier_gives_whole_pico_dollars(used: Counts) -> None:
    for model in PRICES.models:
        plain = bill(Unit(model.id, used)).picodollars
        assert bill(Unit(model.id, used), batch=True, us_geo=True).picodollars * 20 == plain * 11

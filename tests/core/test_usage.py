from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from underspend.core.usage import Lane, Metered, Unit, Usage

COUNTS = st.integers(0, 10**9)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
UNITS = st.builds(Unit, st.just("message"), USAGES, st.none(), st.booleans())


@given(USAGES, USAGES)
def test_usages_add_lane_by_lane(one: Usage, two: Usage) -> None:
    for lane in Lane:
        assert (one + two).lane(lane) == one.lane(lane) + two.lane(lane)


@given(USAGES)
def test_the_prompt_is_every_lane_but_output(usage: Usage) -> None:
    assert usage.prompt == sum(usage.lane(lane) for lane in Lane if lane is not Lane.OUTPUT)


@given(units=st.lists(UNITS, max_size=5).map(tuple), reported=USAGES, free=st.booleans())
def test_billed_usage_is_the_sum_of_billed_units(units: tuple[Unit, ...], reported: Usage, *, free: bool) -> None:
    reply = Metered(provider="p", model="m", units=units, reported=reported, refused_free=free)
    billed = [unit.usage for unit in units if unit.billed]
    if free or not billed:
        assert reply.usage == reported
    else:
        for lane in Lane:
            assert reply.usage.lane(lane) == sum(usage.lane(lane) for usage in billed)


def test_what_a_reply_does_not_say_is_nothing_special() -> None:
    plain = Metered(provider="p", model="m", units=(), reported=Usage())
    assert (plain.thinking_tokens, plain.web_searches, plain.complete, plain.has_usage) == (0, 0, True, True)
    assert (plain.refused_free, plain.fallback_credit, plain.speed, plain.service_tier) == (False, False, None, None)


def test_the_fallback_served_where_the_model_asked_declined() -> None:
    units = (Unit("message", Usage(), "asked", billed=False), Unit("fallback_message", Usage(output=1), "other"))
    assert Metered(provider="anthropic", model="asked", units=units, reported=Usage()).served_model == "other"
    assert Metered(provider="anthropic", model="asked", units=units[:1], reported=Usage()).served_model == "asked"

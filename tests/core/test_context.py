from __future__ import annotations

from core.calls import call, context


def test_prices_are_those_of_the_price_list() -> None:
    assert (context().estimate(call()), context().worst_case(call())) == (70, 700)
    assert (context().estimate(call(model="new")), context().worst_case(call(model="new"))) == (None, 7000)

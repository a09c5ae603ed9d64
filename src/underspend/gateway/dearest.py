"""Prices of a call that may end up elsewhere: its worst case is the dearest of all whom it may be sent to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from underspend.core.call import Call
from underspend.core.money import Money
from underspend.core.ports import Pricing, Rates


@dataclass(frozen=True, slots=True)
class Dearest:
    """`core.ports.Pricing` for a call with a fallback chain. `others` are the calls it may become."""

    pricing: Pricing
    others: Callable[[Call], Iterable[Call]]

    def rates(self, call: Call) -> Rates | None:
        """Of the call as it is planned."""
        return self.pricing.rates(call)

    def step_above(self, call: Call) -> int | None:
        """Of the call as it is planned."""
        return self.pricing.step_above(call)

    def cache_minimum(self, model: str) -> int:
        """Of the model."""
        return self.pricing.cache_minimum(model)

    def estimate(self, call: Call) -> Money | None:
        """Of the call as it is planned."""
        return self.pricing.estimate(call)

    def worst_case(self, call: Call) -> Money:
        """An amount that no candidate's bill can exceed."""
        return max(self.pricing.worst_case(each) for each in (call, *self.others(call)))

"""What a strategy may know when it decides. All of it was fetched before: nothing here waits, and no clock runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from underspend.core.call import Call
from underspend.core.money import Money
from underspend.core.ports import Pricing


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`now` is in microseconds since the epoch.

    `spent` is what has been billed per window the strategies asked for with `needs` ("day"), `held` what calls in
    flight may still cost at most.
    """

    now: int
    pricing: Pricing
    spent: Mapping[str, Money] = field(default_factory=dict)
    held: Money = 0

    def worst_case(self, call: Call) -> Money:
        """The most this call can cost: its prompt's ceiling at the dearest prompt lane and all the output allowed.

        An unknown model counts at the dearest known price, so that a limit can never be slipped by a new name.
        """
        return self.pricing.worst_case(call)

    def estimate(self, call: Call) -> Money | None:
        """The prompt's cost if nothing were cached; None for a model without a known price."""
        return self.pricing.estimate(call)

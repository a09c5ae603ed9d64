"""What a strategy may know when it decides. All of it was fetched before: nothing here waits, and no clock runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from underspend.core.call import Call
from underspend.core.conversation import Conversation, Habits
from underspend.core.money import Money
from underspend.core.ports import Pricing, Rates
from underspend.core.slots import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`now` is in microseconds since the epoch.

    `conversation` and `habits` tell of earlier calls; both are empty where nothing is known yet, and a strategy then
    does what loses least.

    `slot` is what the router's last decision for the conversation left, None where it begins; `beside` is that of the
    last call that began with the same tools and instructions (see `core.slots.Beginnings`). `knowing` is what routing
    has learned: a `routing.beliefs.Knowing`, of which the core knows nothing. `unfit` are models that cannot take the
    call, by id, and why: what its body shows, and what upstream has refused before.
    """

    now: int
    pricing: Pricing
    conversation: Conversation = field(default_factory=Conversation)
    habits: Habits = field(default_factory=Habits)
    slot: Slot | None = None
    beside: Slot | None = None
    knowing: object | None = None
    unfit: Mapping[str, str] = field(default_factory=dict)

    def worst_case(self, call: Call) -> Money:
        """The most this call can cost: its prompt's ceiling at the dearest prompt lane and all the output allowed.

        An unknown model counts at the dearest known price, so that a limit can never be slipped by a new name.
        """
        return self.pricing.worst_case(call)

    def estimate(self, call: Call) -> Money | None:
        """The prompt's cost if nothing were cached; None for a model without a known price."""
        return self.pricing.estimate(call)

    def rates(self, call: Call) -> Rates | None:
        """Pico-dollars per token by lane for this call's model, time and prompt length; None for an unknown model."""
        return self.pricing.rates(call)

"""What the kernel and the drivers ask of the world. Implementations live on the shelves; each has a twin in memory."""

from __future__ import annotations

from typing import Protocol

from underspend.core.call import Call
from underspend.core.money import Money


class Clock(Protocol):
    """Where time comes from, so that replay can bring its own."""

    def now(self) -> int:
        """Microseconds since the epoch."""
        ...


class Pricing(Protocol):
    """Prices a call before it is made."""

    def estimate(self, call: Call) -> Money | None:
        """The prompt at the plain input rate; None for a model without a known price."""
        ...

    def worst_case(self, call: Call) -> Money:
        """An amount the call's bill cannot exceed."""
        ...

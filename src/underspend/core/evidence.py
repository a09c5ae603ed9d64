"""How a dollar figure is known. Every figure shown to a person carries one of these."""

from __future__ import annotations

from enum import StrEnum


class Evidence(StrEnum):
    """From the strongest to the weakest.

    `billed`: from usage the provider reported in full. `measured`: two real worlds compared. `simulated`: from the
    cache simulator. `estimated`: from local token counts, or from a reply whose end was never seen.
    """

    BILLED = "billed"
    MEASURED = "measured"
    SIMULATED = "simulated"
    ESTIMATED = "estimated"

    def weaker(self, other: Evidence) -> Evidence:
        """The evidence of a figure built from both: a chain is as strong as its weakest link."""
        order = list(Evidence)
        return max(self, other, key=order.index)

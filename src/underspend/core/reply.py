"""What came back for a call, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from underspend.core.evidence import Evidence
from underspend.core.money import Money
from underspend.core.usage import Lane, Metered


class Outcome(StrEnum):
    """How a call ended. All but `ok`, `error`, `refused` and `answered` leave the reply's true end unseen.

    `answered` is a call that got a reply kept here: nothing was sent, nothing billed.
    """

    OK = "ok"
    ERROR = "error"
    REFUSED = "refused"
    ANSWERED = "answered"
    ABORTED = "aborted"
    CUT = "cut"
    UNREACHABLE = "unreachable"
    INTERRUPTED = "interrupted"


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a bill: so many tokens of a unit in one lane at a rate (pico-dollars per token)."""

    unit: int
    kind: str
    model: str
    lane: Lane
    tokens: int
    rate: Money
    amount: Money


class Bill(msgspec.Struct, frozen=True, gc=False):
    """What a reply cost, exactly. `unpriced` names models without a known price: `total` then lacks their part."""

    lines: tuple[Line, ...] = ()
    extras: tuple[tuple[str, Money], ...] = ()
    total: Money = 0
    unpriced: tuple[str, ...] = ()
    evidence: Evidence = Evidence.BILLED
    notes: tuple[str, ...] = ()

    @property
    def priced(self) -> bool:
        """Whether every part has a price."""
        return not self.unpriced

    def lane(self, lane: Lane) -> Money:
        """The dollars of one lane over all units."""
        # Without a generator: this is asked several times for each reply of years.
        total = 0
        for line in self.lines:
            if line.lane is lane:
                total += line.amount
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The end of a call as strategies' `learn` sees it."""

    outcome: Outcome
    status: int
    metered: Metered | None
    bill: Bill

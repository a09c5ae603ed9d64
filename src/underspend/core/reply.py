"""What came back for a call, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from underspend.core.evidence import Evidence
from underspend.core.money import Money
from underspend.core.usage import PLACES, Lane, Metered


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
    """What a reply cost, exactly. `unpriced` names models without a known price: `total` then lacks their part.

    `by_lane` are the dollars of each lane over all units, in the order of the lanes: where it is not given, it is added
    up from the lines.
    """

    lines: tuple[Line, ...] = ()
    extras: tuple[tuple[str, Money], ...] = ()
    total: Money = 0
    unpriced: tuple[str, ...] = ()
    evidence: Evidence = Evidence.BILLED
    notes: tuple[str, ...] = ()
    by_lane: tuple[Money, ...] = ()

    def __post_init__(self) -> None:
        if not self.by_lane:
            sums = [0] * len(PLACES)
            for line in self.lines:
                sums[PLACES[line.lane]] += line.amount
            msgspec.structs.force_setattr(self, "by_lane", tuple(sums))

    @property
    def priced(self) -> bool:
        """Whether every part has a price."""
        return not self.unpriced

    def lane(self, lane: Lane) -> Money:
        """The dollars of one lane over all units."""
        return self.by_lane[PLACES[lane]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The end of a call as strategies' `learn` sees it."""

    outcome: Outcome
    status: int
    metered: Metered | None
    bill: Bill

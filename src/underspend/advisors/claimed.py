"""Dollars an advisor claims, added up by reply and lane so that no reply is claimed beyond its own bill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from underspend.advisors.reading import NO_BILL
from underspend.core.advisor import Claimed as Claim
from underspend.core.history import Answered
from underspend.core.money import Money, scale
from underspend.core.reply import Bill
from underspend.core.usage import Lane

DAY = 86_400_000_000
"""In microseconds."""

_MONTH_DAYS = 30
_WORK_DAYS = 22
_ENOUGH_DAYS = 7


__all__ = ["DAY", "NO_BILL", "Claimed", "Month"]


class Claimed:
    """A sum of claims. What goes beyond a reply's bill in a lane is cut off."""

    def __init__(self, bills: Mapping[str, Bill]) -> None:
        self._bills = bills
        self._amounts: dict[tuple[str, Lane], Money] = {}

    def add(self, reply: Answered, lane: Lane, amount: Money) -> Money:
        """Claim some dollars of a reply; gives what of them was still free."""
        return self.put(reply.message_id, lane, amount, self._bills.get(reply.message_id, NO_BILL).lane(lane))

    def put(self, message_id: str, lane: Lane, amount: Money, billed: Money) -> Money:
        """The same where what the lane was billed is known."""
        place = (message_id, lane)
        had = self._amounts.get(place, 0)
        new = min(amount, billed - had)
        if new <= 0:
            return 0
        self._amounts[place] = had + new
        return new

    @property
    def total(self) -> Money:
        """Everything claimed."""
        return sum(self._amounts.values())

    def all(self) -> list[Claim]:
        """The claims."""
        return [(message, lane, amount) for (message, lane), amount in self._amounts.items()]


@dataclass(frozen=True, slots=True)
class Month:
    """How a history becomes a month, by its days with replies (UTC): as the report counts them."""

    active: int
    span: int

    @classmethod
    def of(cls, days: Iterable[int]) -> Month:
        """The month of a history with replies on some days (counted from the epoch)."""
        active = set(days)
        return cls(len(active), max(active) - min(active) + 1) if active else cls(0, 0)

    def of_amount(self, amount: Money) -> Money:
        """What an amount spent over the history comes to in a month."""
        if not self.active:
            return 0
        if self.span < _ENOUGH_DAYS:
            return scale(amount, max(_WORK_DAYS, self.active), self.active)
        return scale(amount, max((_MONTH_DAYS * self.active + self.span // 2) // self.span, 1), self.active)

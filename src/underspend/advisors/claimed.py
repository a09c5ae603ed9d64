"""Dollars an advisor claims, added up by reply and lane so that no reply is claimed beyond its own bill."""

from __future__ import annotations

from collections.abc import Mapping

from underspend.core.advisor import Claim
from underspend.core.history import Answered, History
from underspend.core.money import Money, scale
from underspend.core.reply import Bill
from underspend.core.usage import Lane

NO_BILL = Bill()
"""What a reply without a bill costs as far as anybody knows."""

_DAY = 86_400_000_000
_MONTH_DAYS = 30
_WORK_DAYS = 22
_ENOUGH_DAYS = 7


class Claimed:
    """A sum of claims. What goes beyond a reply's bill in a lane is cut off."""

    def __init__(self, bills: Mapping[str, Bill]) -> None:
        self._bills = bills
        self._amounts: dict[tuple[str, Lane], Money] = {}

    def add(self, reply: Answered, lane: Lane, amount: Money) -> Money:
        """Claim some dollars of a reply; gives what of them was still free."""
        key = (reply.message_id, lane)
        had = self._amounts.get(key, 0)
        new = min(max(amount, 0), self._bills.get(reply.message_id, NO_BILL).lane(lane) - had)
        if new <= 0:
            return 0
        self._amounts[key] = had + new
        return new

    def add_tokens(self, reply: Answered, lane: Lane, tokens: int) -> Money:
        """Claim what so many of a reply's tokens in a lane were billed at; gives what of it was still free."""
        used = reply.metered.usage.lane(lane)
        if used <= 0 or tokens <= 0:
            return 0
        billed = self._bills.get(reply.message_id, NO_BILL).lane(lane)
        return self.add(reply, lane, scale(billed, min(tokens, used), used))

    @property
    def total(self) -> Money:
        """Everything claimed."""
        return sum(self._amounts.values())

    def claims(self, most: Money | None = None) -> tuple[Claim, ...]:
        """The claims; with `most`, each cut in proportion so that together they are no more than that."""
        total = self.total
        keep = total if most is None else min(max(most, 0), total)
        left, made = keep, []
        for (message_id, lane), amount in self._amounts.items():
            share = amount if keep == total else min(scale(amount, keep, total), left, amount)
            left -= share
            if share > 0:
                made.append(Claim(message_id=message_id, lane=lane, amount=share))
        return tuple(made)


def total(claims: tuple[Claim, ...]) -> Money:
    """The sum of some claims."""
    return sum(claim.amount for claim in claims)


def per_month(amount: Money, history: History) -> Money:
    """What an amount spent over a history comes to in a month, by its active days (UTC) as the report counts them."""
    days = {reply.at // _DAY for _, reply in history.replies()}
    if not days:
        return 0
    span = max(days) - min(days) + 1
    active = max(_WORK_DAYS, len(days)) if span < _ENOUGH_DAYS else (_MONTH_DAYS * len(days) + span // 2) // span
    return scale(amount, max(active, 1), len(days))

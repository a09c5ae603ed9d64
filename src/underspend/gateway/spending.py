"""What was spent today and what calls in flight may still cost: the numbers budgets are held against."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from underspend.core.money import Money

_MICRO = 1_000_000


class Spending:
    """Kept in memory by one gateway, begun from the ledger. Times are microseconds since the epoch."""

    def __init__(self, zone: tzinfo | None, spent_since: Callable[[int], Money], now: int) -> None:
        self._zone = zone
        self._begins, self._ends = self._day_of(now)
        self._spent = spent_since(self._begins)
        self._held: dict[str, Money] = {}

    def today(self, now: int) -> Money:
        """Billed since midnight in the report's time zone."""
        self._roll(now)
        return self._spent

    @property
    def held(self) -> Money:
        """The most that calls in flight can still cost."""
        return sum(self._held.values())

    def hold(self, call_id: str, most: Money) -> None:
        """Reserve a call's worst case until it is settled."""
        self._held[call_id] = most

    def settle(self, call_id: str, amount: Money, now: int) -> None:
        """Replace a call's hold by what it cost."""
        self._held.pop(call_id, None)
        self._roll(now)
        self._spent += amount

    def _roll(self, now: int) -> None:
        if not self._begins <= now < self._ends:
            self._begins, self._ends = self._day_of(now)
            self._spent = 0

    def _day_of(self, now: int) -> tuple[int, int]:
        """The day's first microsecond and the next day's."""
        local = datetime.fromtimestamp(now / _MICRO, UTC).astimezone(self._zone)
        return self._midnight(local.date()), self._midnight(local.date() + timedelta(days=1))

    def _midnight(self, day: date) -> int:
        return int(datetime.combine(day, time(), self._zone).astimezone(UTC).timestamp()) * _MICRO

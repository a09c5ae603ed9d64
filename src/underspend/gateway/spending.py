"""What was spent today and what calls in flight may still cost: the numbers budgets are held against."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

from underspend.core.money import Money

_MICRO = 1_000_000


class Spending:
    """Kept in memory by one gateway, begun from the ledger. Times are microseconds since the epoch."""

    def __init__(self, zone: tzinfo | None, spent_since: Callable[[int], Money], now: int) -> None:
        self._zone = zone
        self._day = self._day_of(now)
        self._spent = spent_since(self._start_of_day(now))
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
        day = self._day_of(now)
        if day != self._day:
            self._day, self._spent = day, 0

    def _local(self, now: int) -> datetime:
        return datetime.fromtimestamp(now / _MICRO, UTC).astimezone(self._zone)

    def _day_of(self, now: int) -> tuple[int, int]:
        local = self._local(now)
        return local.year, local.timetuple().tm_yday

    def _start_of_day(self, now: int) -> int:
        midnight = self._local(now).replace(hour=0, minute=0, second=0, microsecond=0)
        return int(midnight.timestamp()) * _MICRO

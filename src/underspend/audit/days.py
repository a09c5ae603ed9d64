"""Days and weeks of a zone as names, remembered by quarter hour: a long history asks for the same few thousand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

DAY = 86_400_000_000
HOUR = 3_600_000_000
MINUTE = 60_000_000
_QUARTER = 15 * MINUTE
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Days:
    """The calendar of one zone; None is the machine's own."""

    __slots__ = ("_known", "zone")

    def __init__(self, zone: tzinfo | None = None) -> None:
        self.zone = zone
        self._known: dict[int, date] = {}

    def clock(self, at: int) -> datetime:
        """What a clock shows at an instant (µs since the epoch)."""
        return (_EPOCH + timedelta(microseconds=at)).astimezone(self.zone)

    def date(self, at: int) -> date:
        """The day an instant lies in."""
        quarter = at // _QUARTER
        known = self._known.get(quarter)
        if known is None:
            known = self._known[quarter] = self.clock(quarter * _QUARTER).date()
        return known

    def day(self, at: int) -> str:
        """The day an instant lies in: "2026-11-20"."""
        return self.date(at).isoformat()

    def week(self, at: int) -> date:
        """The Monday of the week an instant lies in."""
        day = self.date(at)
        return day - timedelta(days=day.weekday())

    def starts(self, day: date) -> int:
        """The first instant of a day."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        if self.zone is None:
            midnight = midnight.astimezone()
        return (midnight - _EPOCH) // timedelta(microseconds=1)

"""Days and weeks of a zone as names, remembered by quarter hour: a long history asks for the same few thousand."""

from __future__ import annotations

import datetime as dt

DAY = 86_400_000_000
HOUR = 3_600_000_000
MINUTE = 60_000_000
_QUARTER = 15 * MINUTE
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Days:
    """The calendar of one zone; None is the machine's own."""

    __slots__ = ("_known", "_names", "zone")

    def __init__(self, zone: dt.tzinfo | None = None) -> None:
        self.zone = zone
        self._known: dict[int, dt.date] = {}
        self._names: dict[int, str] = {}

    def clock(self, at: int) -> dt.datetime:
        """What a clock shows at an instant (µs since the epoch)."""
        return (_EPOCH + dt.timedelta(microseconds=at)).astimezone(self.zone)

    def date(self, at: int) -> dt.date:
        """The day an instant lies in."""
        quarter = at // _QUARTER
        known = self._known.get(quarter)
        if known is None:
            known = self._known[quarter] = self.clock(quarter * _QUARTER).date()
        return known

    def day(self, at: int) -> str:
        """The day an instant lies in: "2026-11-20"."""
        quarter = at // _QUARTER
        name = self._names.get(quarter)
        if name is None:
            name = self._names[quarter] = self.date(at).isoformat()
        return name

    def week(self, at: int) -> dt.date:
        """The Monday of the week an instant lies in."""
        day = self.date(at)
        return day - dt.timedelta(days=day.weekday())

    def starts(self, day: dt.date) -> int:
        """The first instant of a day."""
        midnight = dt.datetime(day.year, day.month, day.day, tzinfo=self.zone)
        if self.zone is None:
            midnight = midnight.astimezone()
        return (midnight - _EPOCH) // dt.timedelta(microseconds=1)

"""When a budget's window begins and ends, in whole microseconds. A zone is asked only for its offset at an instant.

Every instant lies in exactly one calendar window. A day begins at the first instant at which the zone's clock shows
midnight or later: a day of a clock change has 23 or 25 hours, and one whose midnight is skipped begins when the clock
jumps. Weeks begin on Monday (ISO 8601). An hour that the clock shows twice is two windows of an hour each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
FOREVER = 2**53 - 1
"""Later than any window ends (the year 2255), and still exact where numbers are doubles (Lua in Redis)."""
STEPS = 60
"""A rolling window moves in steps of a sixtieth of its length, and covers the step under way and the 60 before it."""
_SESSION_MEMORY = 90 * DAY
_LATE = HOUR


class Zone(Protocol):
    """A time zone, as far as windows need one."""

    @property
    def name(self) -> str:
        """As the user knows it: an IANA name, or "local"."""
        ...

    def offset(self, at: int) -> int:
        """Microseconds that the zone's clock is ahead of UTC at an instant (microseconds since the epoch)."""
        ...


@dataclass(frozen=True, slots=True)
class Utc:
    """The zone without an offset."""

    name: str = "UTC"

    def offset(self, at: int) -> int:  # noqa: ARG002  # the port asks with an instant
        """Zero."""
        return 0


UTC = Utc()


class Unit(StrEnum):
    """The lengths of time that windows come in. A rolling month is 30 days."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Kind(StrEnum):
    """What ends a window: time that has passed, the calendar, or what the calls belong to."""

    ROLLING = "rolling"
    CALENDAR = "calendar"
    SESSION = "session"
    FAN_OUT = "fan-out"
    REQUEST = "request"


_LENGTHS = {Unit.HOUR: HOUR, Unit.DAY: DAY, Unit.WEEK: 7 * DAY, Unit.MONTH: 30 * DAY}


@dataclass(frozen=True, slots=True)
class Window:
    """What a cap is for. `unit` belongs to rolling and calendar windows, and to no other."""

    kind: Kind
    unit: Unit | None = None

    def __post_init__(self) -> None:
        """Refuse what is no window."""
        if (self.kind in {Kind.ROLLING, Kind.CALENDAR}) != (self.unit is not None):
            raise ValueError(f"a {self.kind.value} window takes {'no' if self.unit else 'a'} length")

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return self.kind.value if self.unit is None else f"{self.kind.value} {self.unit.value}"


def window(text: str) -> Window:
    """The window of words such as "calendar day", "rolling hour", "session". Raises ValueError for others."""
    kind, _, unit = text.strip().lower().partition(" ")
    try:
        return Window(Kind(kind), Unit(unit.strip()) if unit else None)
    except ValueError:
        known = "rolling or calendar hour, day, week or month; session; fan-out; request"
        raise ValueError(f"{text!r} is no window of a budget: there are {known}") from None


@dataclass(frozen=True, slots=True)
class Period:
    """A window as it stands at an instant; all are microseconds since the epoch.

    What is spent now is booked under `bucket`; what is booked under `since` (inclusive) to `until` (exclusive) counts.
    `ends` is when a calendar window gives way to the next, None for any other. Nobody asks for the booking after
    `forget`.
    """

    bucket: int
    since: int
    until: int
    ends: int | None
    forget: int


def period(of: Window, at: int, zone: Zone) -> Period:
    """The window's period at an instant. A session's never ends by time; it is forgotten 90 days after its last call.

    A rolling window moves in steps, so that up to a sixtieth more than its length counts, never less.
    """
    if of.unit is None:
        return Period(bucket=0, since=0, until=FOREVER, ends=None, forget=at + _SESSION_MEMORY)
    if of.kind is Kind.ROLLING:
        length = _LENGTHS[of.unit]
        step = length // STEPS
        bucket = at - at % step
        # No upper end: what a replica whose clock is ahead has booked counts as well.
        return Period(bucket, bucket - length, FOREVER, None, bucket + 2 * length + _LATE)
    since, until = calendar(of.unit, at, zone)
    return Period(since, since, until, until, 2 * until - since + _LATE)


def length(unit: Unit) -> int:
    """Microseconds of a rolling window."""
    return _LENGTHS[unit]


def calendar(unit: Unit, at: int, zone: Zone) -> tuple[int, int]:
    """The first instant of the calendar window that holds `at`, and the first instant of the next."""
    if unit is Unit.HOUR:
        return _hour(at, zone)
    floor, following = _FLOORS[unit], _NEXT[unit]
    begins = floor((at + zone.offset(at)) // DAY)
    ends = following(begins)
    since, until = _first_at(begins * DAY, zone), _first_at(ends * DAY, zone)
    # A clock that was set back over midnight shows the old day once more: the new one has begun all the same.
    return (since, until) if at < until else (until, _first_at(following(ends) * DAY, zone))


def _hour(at: int, zone: Zone) -> tuple[int, int]:
    phase = zone.offset(at) % HOUR
    since = at - (at + phase) % HOUR
    until = since + HOUR
    # A few zones change by half an hour: the hour is cut there.
    if zone.offset(since) % HOUR != phase:
        since = _change(since, at, zone)
    if zone.offset(until - 1) % HOUR != phase:
        until = _change(at, until - 1, zone)
    return since, until


def _first_at(local: int, zone: Zone) -> int:
    """The first instant at which the zone's clock shows `local` or later."""
    before, after = zone.offset(local - DAY), zone.offset(local + DAY)
    for offset in (before, after):
        if zone.offset(local - offset) == offset:
            return local - offset
    return _change(local - max(before, after), local - min(before, after), zone)


def _change(low: int, high: int, zone: Zone) -> int:
    """The first instant after `low`, up to `high`, at which the zone's offset is another."""
    old = zone.offset(low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if zone.offset(middle) == old else (low, middle)
    return high


def civil(day: int) -> tuple[int, int, int]:
    """Year, month and day of a day counted from 1 January 1970, in the Gregorian calendar.

    Both conversions are Howard Hinnant's (`chrono`-compatible low-level date algorithms): integers only.
    """
    shifted = day + 719_468
    era, of_era = divmod(shifted, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    in_spring = month < 10  # noqa: PLR2004  # the algorithm's year begins in March
    return year + era * 400 + (not in_spring), month + (3 if in_spring else -9), of_year - (153 * month + 2) // 5 + 1


def day_of(year: int, month: int, day: int) -> int:
    """The day of a date, counted from 1 January 1970."""
    early = month <= 2  # noqa: PLR2004  # the algorithm's year begins in March
    era, of_era = divmod(year - early, 400)
    of_year = (153 * (month + (9 if early else -3)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _month(day: int) -> int:
    year, month, _ = civil(day)
    return day_of(year, month, 1)


_FLOORS: dict[Unit, Callable[[int], int]] = {
    Unit.DAY: lambda day: day,
    Unit.WEEK: lambda day: day - (day + 3) % 7,
    Unit.MONTH: _month,
}
_NEXT: dict[Unit, Callable[[int], int]] = {
    Unit.DAY: lambda day: day + 1,
    Unit.WEEK: lambda day: day + 7,
    Unit.MONTH: lambda day: _month(day + 31),
}

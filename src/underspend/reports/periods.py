"""Days, weeks and months as the user's calendar has them, to and from microseconds since the epoch.

A zone of None is the machine's own. Offsets are looked up for each instant, so a day of a clock change has 23 or 25
hours and every instant belongs to exactly one day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from underspend.core.errors import ConfigError

SECOND = 1_000_000
QUARTER = 900 * SECOND
"""Every zone's offset is a whole number of quarter hours, so no quarter lies in two days."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGO = re.compile(r"(\d{1,5})\s*(m|h|d|w)")
_AGO_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Step(StrEnum):
    """The lengths of time that figures are grouped by."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` (inclusive) to `until` (exclusive), in microseconds since the epoch."""

    since: int
    until: int


def zone(name: str | None) -> ZoneInfo | None:
    """The zone of an IANA name; None, the machine's own, for None or "local". Raises ConfigError for another name."""
    if name is None or name.lower() == "local":
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        mend = "Use an IANA name such as Europe/Berlin, or leave it out for this machine's own."
        raise ConfigError(where="time zone", problem=f"{name!r} is not known", mend=mend) from None


def clock_time(at: int, tz: tzinfo | None) -> datetime:
    """What a clock in the zone shows at an instant."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(tz)


def instant(when: datetime, tz: ZoneInfo | None) -> int:
    """Microseconds since the epoch of a time; one without an offset is read in the zone.

    A time that a clock change skips means the moment of the change; one that happens twice means the first.
    """
    if when.tzinfo is None:
        when = when.replace(tzinfo=tz) if tz is not None else when.astimezone()
    return (when - _EPOCH) // timedelta(microseconds=1)


def starts(day: date, tz: ZoneInfo | None) -> int:
    """The first instant of a day."""
    return instant(datetime.combine(day, time()), tz)


def first_day(day: date, step: Step) -> date:
    """The day on which the step that holds `day` began: weeks begin on Monday (ISO 8601)."""
    if step is Step.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if step is Step.MONTH else day


def next_day(day: date, step: Step) -> date:
    """The first day of the step after the one that `day` begins."""
    if step is Step.MONTH:
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return day + timedelta(days=7 if step is Step.WEEK else 1)


def current(step: Step, now: int, tz: ZoneInfo | None) -> Span:
    """From the beginning of this day, week or month until now."""
    day = clock_time(now, tz).date()
    return Span(starts(first_day(day, step), tz), now)


def previous(step: Step, now: int, tz: ZoneInfo | None) -> Span:
    """The same stretch of the day, week or month before: as far into it as now is into this one.

    Never longer than that step was, so the last days of a long month compare with the whole of a short one.
    """
    here = current(step, now, tz)
    first = first_day(clock_time(now, tz).date(), step)
    before = first_day(first - timedelta(days=1), step)
    since = starts(before, tz)
    return Span(since, min(since + now - here.since, here.since))


def label(at: int, step: Step, tz: ZoneInfo | None) -> str:
    """The name of the hour, day, week or month an instant lies in; names sort in time.

    "2026-11-20", "2026-W47", "2026-11", and for hours "2026-11-20 14:00+01:00": the offset tells apart the two hours
    of a clock set back.
    """
    shown = clock_time(at, tz)
    if step is Step.HOUR:
        return shown.replace(minute=0, second=0, microsecond=0).isoformat(" ", "minutes")
    if step is Step.WEEK:
        year, week, _ = shown.isocalendar()
        return f"{year}-W{week:02}"
    return shown.strftime("%Y-%m" if step is Step.MONTH else "%Y-%m-%d")


def days(span: Span, tz: ZoneInfo | None) -> list[date]:
    """Every day that some of the span lies in."""
    day, last = clock_time(span.since, tz).date(), clock_time(max(span.since, span.until - 1), tz).date()
    return [day + timedelta(days=n) for n in range((last - day).days + 1)]


def parse(text: str, *, now: int, tz: ZoneInfo | None, end: bool = False) -> int:
    """The instant a person means by a date, a date and time, `today`, `yesterday`, `week`, `month` or an age as `7d`.

    With `end` a date means the end of that day, so that `--until 2026-11-20` takes in the 20th. Raises ValueError.
    """
    word = text.strip().lower()
    today = clock_time(now, tz).date()
    age = _AGO.fullmatch(word)
    if word == "now":
        return now
    if age:
        return now - int(age[1]) * _AGO_SECONDS[age[2]] * SECOND
    named = {"today": today, "yesterday": today - timedelta(days=1)}
    named |= {step.value: first_day(today, step) for step in (Step.WEEK, Step.MONTH)}
    day = named.get(word)
    if day is None:
        try:
            day = date.fromisoformat(word)
        except ValueError:
            return _date_and_time(text, tz)
    return starts(day + timedelta(days=1), tz) if end else starts(day, tz)


def _date_and_time(text: str, tz: ZoneInfo | None) -> int:
    try:
        return instant(datetime.fromisoformat(text.strip()), tz)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time: write 2026-11-20, 2026-11-20T14:00, today, yesterday, week, month or 7d"
        ) from None

from __future__ import annotations

from datetime import UTC as UTC_RULES
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.config.zones import IanaZone, budget_zone
from underspend.core.windows import (
    DAY,
    FOREVER,
    HOUR,
    MINUTE,
    SECOND,
    STEPS,
    UTC,
    Kind,
    Unit,
    Window,
    calendar,
    civil,
    day_of,
    length,
    period,
    window,
)

ZONES = [
    budget_zone(name)
    for name in (
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",  # changes by half an hour
        "America/Sao_Paulo",  # changed at midnight
        "America/St_Johns",  # changed at one minute past midnight
        "Asia/Beirut",
        "Africa/Casablanca",
        "America/Caracas",  # changed by half an hour at half past
        "Pacific/Apia",  # left out a whole day in 2011
    )
]
INSTANTS = st.integers(day_of(2006, 1, 1) * DAY, day_of(2037, 1, 1) * DAY)


def at(zone: str, text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=budget_zone(zone).rules)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC_RULES)) // timedelta(microseconds=1)


def in_zone(zone: str, instant: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC_RULES) + timedelta(microseconds=instant)
    return moment.astimezone(budget_zone(zone).rules).isoformat()


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("calendar day", Window(Kind.CALENDAR, Unit.DAY)),
        (" Rolling  hour ", Window(Kind.ROLLING, Unit.HOUR)),
        ("session", Window(Kind.SESSION)),
        ("fan-out", Window(Kind.FAN_OUT)),
        ("request", Window(Kind.REQUEST)),
    ],
)
def test_a_window_is_read_from_words_and_written_as_them(text: str, made: Window) -> None:
    assert window(text) == made
    assert window(str(made)) == made


@pytest.mark.parametrize("text", ["", "day", "calendar", "rolling year", "session day", "calendar  "])
def test_other_words_are_no_window(text: str) -> None:
    with pytest.raises(ValueError, match="is no window of a budget"):
        window(text)


@given(st.integers(-800_000, 2_900_000))
def test_dates_are_the_gregorian_calendars(day: int) -> None:
    if date.min.toordinal() <= day + date(1970, 1, 1).toordinal() <= date.max.toordinal():
        there = date(1970, 1, 1) + timedelta(days=day)
        assert civil(day) == (there.year, there.month, there.day)
    assert day_of(*civil(day)) == day


@given(st.sampled_from(ZONES), st.sampled_from(Unit), INSTANTS)
def test_every_instant_is_in_one_window_and_windows_leave_no_gap(zone: IanaZone, unit: Unit, instant: int) -> None:
    since, until = calendar(unit, instant, zone)
    assert since <= instant < until
    assert calendar(unit, since, zone) == calendar(unit, until - 1, zone) == (since, until)
    assert calendar(unit, until, zone)[0] == until
    assert calendar(unit, since - 1, zone)[1] == since


@given(st.sampled_from(ZONES), INSTANTS)
def test_a_days_window_begins_at_the_first_midnight_of_the_zones_clock(zone: IanaZone, instant: int) -> None:
    since, _ = calendar(Unit.DAY, instant, zone)
    before = (since - 1 + zone.offset(since - 1)) // DAY
    after = (since + zone.offset(since)) // DAY
    assert after > before
    assert since + zone.offset(since) == after * DAY or zone.offset(since - 1) != zone.offset(since)


@pytest.mark.parametrize(
    ("zone", "unit", "instant", "since", "hours"),
    [
        ("Europe/Berlin", Unit.DAY, "2026-03-29T12:00", "2026-03-29T00:00:00+01:00", 23),
        ("Europe/Berlin", Unit.DAY, "2026-10-25T12:00", "2026-10-25T00:00:00+02:00", 25),
        ("Europe/Berlin", Unit.WEEK, "2026-11-22T23:59", "2026-11-16T00:00:00+01:00", 7 * 24),
        ("Europe/Berlin", Unit.MONTH, "2026-10-31T23:59", "2026-10-01T00:00:00+02:00", 31 * 24 + 1),
        ("America/New_York", Unit.MONTH, "2026-02-01T00:00", "2026-02-01T00:00:00-05:00", 28 * 24),
        ("America/New_York", Unit.MONTH, "2026-12-31T20:00", "2026-12-01T00:00:00-05:00", 31 * 24),
        ("America/Sao_Paulo", Unit.DAY, "2018-11-04T12:00", "2018-11-04T01:00:00-02:00", 23),
        ("Pacific/Apia", Unit.DAY, "2011-12-29T12:00", "2011-12-29T00:00:00-10:00", 24),
        ("Pacific/Apia", Unit.DAY, "2011-12-31T12:00", "2011-12-31T00:00:00+14:00", 24),
        ("Asia/Kathmandu", Unit.HOUR, "2026-01-01T12:34", "2026-01-01T12:00:00+05:45", 1),
        ("UTC", Unit.WEEK, "1970-01-01T00:00", "1969-12-29T00:00:00+00:00", 7 * 24),
    ],
)
def test_calendar_windows_are_those_of_the_wall(zone: str, unit: Unit, instant: str, since: str, hours: int) -> None:
    begins, ends = calendar(unit, at(zone, instant), budget_zone(zone))
    assert in_zone(zone, begins) == since
    assert ends - begins == hours * HOUR


def test_a_clock_set_back_over_midnight_does_not_begin_the_old_day_again() -> None:
    zone = budget_zone("America/St_Johns")
    changed = at("America/St_Johns", "2010-11-07T00:00") + MINUTE  # then it was 23:01 on the 6th once more
    first = calendar(Unit.DAY, changed - SECOND, zone)
    assert in_zone(zone.name, changed) == "2010-11-06T23:01:00-03:30"
    assert calendar(Unit.DAY, changed, zone) == calendar(Unit.DAY, changed + HOUR, zone) == first
    assert first[1] - first[0] == 25 * HOUR


def test_an_hour_shown_twice_is_two_windows_and_half_an_hours_change_cuts_one() -> None:
    berlin = budget_zone("Europe/Berlin")
    twice = at("Europe/Berlin", "2026-10-25T02:30")
    one, other = calendar(Unit.HOUR, twice, berlin), calendar(Unit.HOUR, twice + HOUR, berlin)
    assert one[1] == other[0]
    assert one[1] - one[0] == other[1] - other[0] == HOUR
    howe = budget_zone("Australia/Lord_Howe")
    back = at("Australia/Lord_Howe", "2026-04-05T01:15")
    caracas = budget_zone("America/Caracas")
    forward = at("America/Caracas", "2016-05-01T02:15")  # at 02:30 it became 03:00
    assert calendar(Unit.HOUR, forward, caracas)[1] - forward == 15 * MINUTE
    assert calendar(Unit.HOUR, forward + 20 * MINUTE, caracas)[0] - forward == 15 * MINUTE
    assert [calendar(Unit.HOUR, back + n * HOUR // 2, howe)[1] - back for n in range(3)] == [
        45 * MINUTE,
        45 * MINUTE,
        75 * MINUTE,
    ]


@given(st.sampled_from(Unit), INSTANTS, st.integers(0, 40 * DAY))
def test_a_rolling_window_covers_its_length_and_at_most_a_sixtieth_more(unit: Unit, instant: int, ago: int) -> None:
    now = period(Window(Kind.ROLLING, unit), instant, UTC)
    booked = period(Window(Kind.ROLLING, unit), instant - ago, UTC).bucket
    counts = now.since <= booked < now.until
    if ago <= length(unit):
        assert counts
    if ago > length(unit) + length(unit) // STEPS:
        assert not counts
    assert not (counts and now.forget <= instant)


@pytest.mark.parametrize("text", ["calendar hour", "calendar day", "calendar week", "calendar month", "rolling month"])
def test_a_booking_is_kept_at_least_as_long_as_it_counts(text: str) -> None:
    instant = at("UTC", "2026-11-20T12:00")
    now = period(window(text), instant, UTC)
    assert now.forget > (now.ends or instant + length(Unit.MONTH))


def test_a_session_has_one_period_without_an_end() -> None:
    early, late = (period(window("session"), n, UTC) for n in (5 * DAY, 500 * DAY))
    assert (early.bucket, early.since, early.until, early.ends) == (late.bucket, 0, FOREVER, None)
    assert late.forget == 590 * DAY

import time
from datetime import date

import pytest

from reports.ledger_rows import us
from underspend.core.errors import ConfigError
from underspend.reports.periods import (
    SECOND,
    Span,
    Step,
    clock_time,
    current,
    days,
    first_day,
    instant,
    label,
    next_day,
    parse,
    previous,
    starts,
    zone,
)

BERLIN, NEW_YORK = zone("Europe/Berlin"), zone("America/New_York")
HOUR = 3_600 * SECOND


def test_a_day_of_a_clock_change_has_23_or_25_hours():
    assert starts(date(2026, 3, 30), BERLIN) - starts(date(2026, 3, 29), BERLIN) == 23 * HOUR
    assert starts(date(2026, 10, 26), BERLIN) - starts(date(2026, 10, 25), BERLIN) == 25 * HOUR


def test_a_midnight_that_a_clock_change_skips_is_the_moment_of_the_change():
    cairo = zone("Africa/Cairo")
    assert clock_time(starts(date(2026, 4, 24), cairo), cairo).isoformat() == "2026-04-24T01:00:00+03:00"


def test_both_hours_of_a_clock_set_back_have_names_of_their_own():
    first, second = us("2026-11-01T05:30:00+00:00"), us("2026-11-01T06:30:00+00:00")
    assert label(first, Step.HOUR, NEW_YORK) == "2026-11-01 01:00-04:00"
    assert label(second, Step.HOUR, NEW_YORK) == "2026-11-01 01:00-05:00"


@pytest.mark.parametrize(
    ("step", "name"),
    [(Step.DAY, "2027-01-01"), (Step.WEEK, "2026-W53"), (Step.MONTH, "2027-01")],
)
def test_names_follow_the_zone_and_iso_weeks(step, name):
    assert label(us("2026-12-31T23:30:00+00:00"), step, BERLIN) == name


def test_previous_is_the_same_stretch_of_the_period_before():
    now = us("2026-11-20T16:40:00+00:00")
    utc = zone("UTC")
    assert current(Step.DAY, now, utc) == Span(us("2026-11-20T00:00:00+00:00"), now)
    assert previous(Step.DAY, now, utc) == Span(us("2026-11-19T00:00:00+00:00"), us("2026-11-19T16:40:00+00:00"))
    assert previous(Step.WEEK, now, utc) == Span(us("2026-11-09T00:00:00+00:00"), us("2026-11-13T16:40:00+00:00"))
    assert previous(Step.MONTH, now, utc) == Span(us("2026-10-01T00:00:00+00:00"), us("2026-10-20T16:40:00+00:00"))


def test_previous_is_never_longer_than_that_period_was():
    now = us("2026-03-31T12:00:00+00:00")
    assert previous(Step.MONTH, now, zone("UTC")).until == us("2026-03-01T00:00:00+00:00")


def test_steps_begin_on_mondays_and_firsts():
    assert first_day(date(2026, 11, 22), Step.WEEK) == date(2026, 11, 16)
    assert next_day(date(2026, 12, 1), Step.MONTH) == date(2027, 1, 1)
    assert next_day(date(2026, 11, 16), Step.WEEK) == date(2026, 11, 23)


def test_days_of_a_span():
    span = Span(us("2026-11-18T23:30:00+00:00"), us("2026-11-20T00:00:00+00:00"))
    assert days(span, zone("UTC")) == [date(2026, 11, 18), date(2026, 11, 19)]
    assert days(span, BERLIN) == [date(2026, 11, 19), date(2026, 11, 20)]


NOW = us("2026-11-20T16:40:00+00:00")


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("2026-11-20", False, "2026-11-20T00:00:00+01:00"),
        ("2026-11-20", True, "2026-11-21T00:00:00+01:00"),
        ("2026-11-20T14:00", True, "2026-11-20T14:00:00+01:00"),
        ("2026-11-20T14:00Z", False, "2026-11-20T14:00:00+00:00"),
        ("today", False, "2026-11-20T00:00:00+01:00"),
        ("yesterday", True, "2026-11-20T00:00:00+01:00"),
        ("week", False, "2026-11-16T00:00:00+01:00"),
        ("month", False, "2026-11-01T00:00:00+01:00"),
        ("now", False, "2026-11-20T16:40:00+00:00"),
        ("7d", False, "2026-11-13T16:40:00+00:00"),
        ("90 m", False, "2026-11-20T15:10:00+00:00"),
    ],
)
def test_times_as_people_write_them(text, end, expected):
    assert parse(text, now=NOW, tz=BERLIN, end=end) == us(expected)


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "7y", "99999999999d", "20261120T"])
def test_what_is_no_time_is_said(text):
    with pytest.raises(ValueError, match="is no time: write"):
        parse(text, now=NOW, tz=BERLIN)


def test_an_unknown_zone_is_one_clear_line():
    with pytest.raises(ConfigError, match="time zone: 'Mars/Olympus' is not known"):
        zone("Mars/Olympus")
    with pytest.raises(ConfigError, match="is not known"):
        zone("../etc/passwd")


def test_the_machines_own_zone_changes_its_clock_too(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert zone("local") is None
        assert starts(date(2026, 3, 30), None) - starts(date(2026, 3, 29), None) == 23 * HOUR
        assert instant(clock_time(NOW, None), None) == NOW
    finally:
        monkeypatch.undo()
        time.tzset()

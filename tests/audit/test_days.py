from datetime import date
from zoneinfo import ZoneInfo

from audit.histories import DAY, START, us
from underspend.audit.days import Days


def test_a_day_is_that_of_the_zone():
    at = us("2026-11-19T23:30:00+00:00")
    assert Days(ZoneInfo("UTC")).day(at) == "2026-11-19"
    assert Days(ZoneInfo("Europe/Berlin")).day(at) == "2026-11-20"


def test_a_week_begins_on_monday():
    assert Days(ZoneInfo("UTC")).week(START) == date(2026, 11, 16)


def test_a_day_starts_where_its_name_changes_also_when_clocks_change():
    days = Days(ZoneInfo("Europe/Berlin"))
    for day in (date(2026, 10, 25), date(2026, 3, 29), date(2026, 7, 1)):
        at = days.starts(day)
        assert days.day(at) == day.isoformat()
        assert days.day(at - 1) != day.isoformat()


def test_a_machine_without_a_zone_still_has_days():
    days = Days()
    assert days.day(days.starts(date(2026, 11, 20))) == "2026-11-20"
    assert days.starts(date(2026, 11, 21)) - days.starts(date(2026, 11, 20)) in {DAY, DAY - DAY // 24, DAY + DAY // 24}


def test_a_day_that_was_asked_for_before_has_the_same_name():
    days = Days(ZoneInfo("Europe/Berlin"))
    assert [days.day(START), days.day(START), days.day(START + DAY)] == ["2026-11-20", "2026-11-20", "2026-11-21"]

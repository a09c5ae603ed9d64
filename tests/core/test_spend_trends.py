"""Weeks and months from daily sums, by hand and against the audit's own forecast."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.audit.days import Days
from underspend.audit.trend import Moment, forecast
from underspend.core.alerts import HOUR, Decision, Quiet, Severity, Told
from underspend.core.evidence import Evidence
from underspend.core.spend_trends import TrendRules, month_ahead, month_alert, rise_alert, week_rise

DOLLAR = 10**12
MONDAY = date(2026, 11, 16)
RULES = TrendRules()


def weeks(*totals, first=MONDAY - timedelta(days=14)):
    """All of a week's dollars on its Wednesday."""
    return {first + timedelta(days=7 * number + 2): total * DOLLAR for number, total in enumerate(totals)}


def test_the_last_whole_week_is_held_against_the_one_before():
    rise = week_rise(weeks(100, 130), MONDAY, RULES)
    assert rise is not None
    assert (rise.week, rise.percent, rise.so_far) == (MONDAY - timedelta(days=7), 30, False)
    assert week_rise(weeks(100, 129), MONDAY, RULES) is None


def test_the_running_week_counts_once_it_has_passed_the_whole_week_before():
    thursday = MONDAY + timedelta(days=3)
    rise = week_rise(weeks(100, 100, 130), thursday, RULES)
    assert rise is not None
    assert (rise.week, rise.so_far) == (MONDAY, True)
    assert week_rise(weeks(100, 100, 129), thursday, RULES) is None


def test_a_rise_of_cents_is_not_told():
    assert week_rise(weeks(1, 5), MONDAY, RULES) is None
    assert week_rise(weeks(1, 6), MONDAY, RULES) is not None


def test_a_first_week_is_no_rise():
    assert week_rise(weeks(0, 500), MONDAY, RULES) is None
    assert week_rise({}, MONDAY, RULES) is None


def test_a_rise_says_what_made_it_and_has_its_weeks_own_key():
    rise = week_rise(weeks(100, 150), MONDAY, RULES)
    assert rise is not None
    alert = rise_alert(rise, 7, because="What rose most: model mix ($40.00).", evidence=Evidence.ESTIMATED)
    assert alert.words == (
        "The week of 2026-11-09 cost $150.00, 50 % above the $100.00 of the week before. "
        "What rose most: model mix ($40.00)."
    )
    assert (alert.key, alert.dollars, alert.evidence) == ("trend|2026-11-09", 50 * DOLLAR, Evidence.ESTIMATED)


def test_a_month_that_will_pass_its_limit_is_a_warning_and_one_that_has_is_critical():
    sums = {date(2026, 11, 1) + timedelta(days=number): DOLLAR for number in range(20)}
    month = month_ahead(sums, date(2026, 11, 20))
    assert month is not None
    assert (month.so_far, month.expected, month.days_left) == (20 * DOLLAR, 30 * DOLLAR, 10)
    assert month_alert(month, 30 * DOLLAR, 0) is None
    ahead = month_alert(month, 29 * DOLLAR, 0)
    assert ahead is not None
    assert (ahead.severity, ahead.evidence) == (Severity.WARNING, Evidence.ESTIMATED)
    assert "comes to about $30.00" in ahead.words
    passed = month_alert(month, 19 * DOLLAR, 0)
    assert passed is not None
    assert (passed.severity, passed.key, passed.dollars) == (Severity.CRITICAL, ahead.key, 20 * DOLLAR)


def test_a_week_is_told_once_though_it_is_looked_at_every_hour():
    told, sums = Told(Quiet()), weeks(100, 150)
    out = 0
    for hour in range(7 * 24):
        rise = week_rise(sums, MONDAY + timedelta(days=hour // 24), RULES)
        if rise is not None:
            out += told.decide(rise_alert(rise, hour * HOUR))[0] is Decision.TELL
    assert out == 1


def test_a_month_is_told_once_and_once_more_when_it_has_passed():
    told, out = Told(Quiet()), []
    for hour in range(30 * 24):
        today = date(2026, 11, 1) + timedelta(days=hour // 24)
        sums = {date(2026, 11, 1) + timedelta(days=number): DOLLAR for number in range(hour // 24 + 1)}
        month = month_ahead(sums, today)
        alert = month_alert(month, 20 * DOLLAR, hour * HOUR) if month is not None else None
        if alert is not None and told.decide(alert)[0] is Decision.TELL:
            out.append((today.day, alert.severity.value))
    assert out == [(1, "warning"), (21, "critical")]


def test_no_spending_has_no_forecast():
    assert month_ahead({}, MONDAY) is None
    assert month_ahead({MONDAY - timedelta(days=28): DOLLAR}, MONDAY) is None


DAILY = st.dictionaries(st.integers(0, 70), st.integers(1, 10**14), min_size=1)


@given(DAILY)
def test_the_forecast_is_the_audits(amounts):
    """Where all of a day is spent at its noon and it is noon now, whole days and instants are the same."""
    sums = {MONDAY - timedelta(days=back): amount for back, amount in amounts.items()}
    moments = [Moment(_noon(day), amount, 1, 1, "m", False) for day, amount in sorted(sums.items())]
    recent = [each for each in moments if each.at > _noon(MONDAY - timedelta(days=28))]
    theirs = forecast(
        [each for each in moments if each.at != _noon(MONDAY - timedelta(days=28))],
        Days(UTC),
        _noon(MONDAY),
        first_at=moments[0].at,
    )
    ours = month_ahead(sums, MONDAY)
    assert (ours is None) == (not recent)
    if ours is not None and theirs is not None and MONDAY - timedelta(days=28) not in sums:
        assert (ours.month, ours.expected, ours.days_left) == (theirs.month, theirs.expected, theirs.days_left)
        assert ours.so_far == theirs.so_far


def _noon(day):
    return int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()) * 10**6


@given(DAILY, st.integers(0, 13))
def test_a_rise_is_always_at_least_the_share_that_was_asked_for(amounts, today):
    sums = {MONDAY - timedelta(days=back - 7): amount for back, amount in amounts.items()}
    rise = week_rise(sums, MONDAY + timedelta(days=today), RULES)
    if rise is not None:
        assert rise.percent >= 30
        assert rise.now - rise.before >= RULES.rise_at_least


@pytest.mark.parametrize("given_", [{"rise_percent": 0}, {"rise_at_least": -1}, {"month_limit": -1}])
def test_rules_that_cannot_be_meant_are_refused(given_):
    with pytest.raises(ValueError, match="rise"):
        TrendRules(**given_)

"""Weeks and months from what each day cost: a week well above the one before it, a month that will pass its limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from underspend.core.alerts import HOUR, Alert, Kind, Severity
from underspend.core.evidence import Evidence
from underspend.core.money import PICO_PER_DOLLAR, Money, show

DAY = 24 * HOUR
_WEEK = 7
_LOOK_BACK = 28
_PERCENT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendRules:
    """When a week is worth telling: so many percent above the one before it, and at least so many dollars above.

    `month_limit` is the amount a month is not to pass; None sets none.
    """

    rise_percent: int = 30
    rise_at_least: Money = 5 * PICO_PER_DOLLAR
    month_limit: Money | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant. Raises ValueError."""
        if self.rise_percent < 1 or self.rise_at_least < 0 or (self.month_limit is not None and self.month_limit < 0):
            raise ValueError("a rise is at least one percent, and no amount is below zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """A week (by its Monday) above the whole week before; `so_far` while it still runs."""

    week: date
    now: Money
    before: Money
    so_far: bool

    @property
    def percent(self) -> int:
        """By how many percent it lies above, rounded down."""
        return (self.now - self.before) * _PERCENT // self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A month ("2026-11"): what it has cost so far, and what it comes to if its other days cost what the last did.

    `days` of the last 28 that have spending to go by; the fewer, the less is known.
    """

    month: str
    so_far: Money
    expected: Money
    days_left: int
    days: int


def week_rise(sums: Mapping[date, Money], today: date, rules: TrendRules) -> Rise | None:
    """The week that rose, from what each day cost; a day without an entry cost nothing.

    The running week counts once it has passed the whole week before it by as much: then it is certain already, and no
    part of a week is held against a whole one. Else the last whole week, against the one before. None where neither
    rose, or where the week before had no spending.
    """
    monday = today - timedelta(days=today.weekday())
    running = _compared(sums, monday, rules, so_far=True)
    return running or _compared(sums, monday - timedelta(days=_WEEK), rules, so_far=False)


def _compared(sums: Mapping[date, Money], monday: date, rules: TrendRules, *, so_far: bool) -> Rise | None:
    now, before = _week(sums, monday), _week(sums, monday - timedelta(days=_WEEK))
    rose = before > 0 and (now - before) * _PERCENT >= rules.rise_percent * before
    if not rose or now - before < rules.rise_at_least:
        return None
    return Rise(week=monday, now=now, before=before, so_far=so_far)


def _week(sums: Mapping[date, Money], monday: date) -> Money:
    return sum(sums.get(monday + timedelta(days=day), 0) for day in range(_WEEK))


def month_ahead(sums: Mapping[date, Money], today: date) -> Month | None:
    """What the month of a day will come to; None when the last 28 days have no spending.

    Its remaining days are taken to cost what the last 28 days did on average, or those since the first day with
    spending where it began later: the rule of the audit's forecast.
    """
    recent = {day: sums.get(day, 0) for day in (today - timedelta(days=back) for back in range(_LOOK_BACK))}
    spent = [day for day, amount in sums.items() if amount and day <= today]
    if not any(recent.values()):
        return None
    seen = min(_LOOK_BACK, (today - min(spent)).days + 1)
    after = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    left = (after - today).days - 1
    so_far = sum(amount for day, amount in sums.items() if day <= today and (day.year, day.month) == _month(today))
    expected = so_far + round(Fraction(sum(recent.values()), seen) * left)
    return Month(month=today.strftime("%Y-%m"), so_far=so_far, expected=expected, days_left=left, days=seen)


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month


def rise_alert(rise: Rise, at: int, *, because: str = "", evidence: Evidence = Evidence.BILLED) -> Alert:
    """A rise as something to tell at an instant (µs since the epoch).

    `because` says what made the week dearer, as the audit's trend knows it. Each week is told once.
    """
    what = "This week so far" if rise.so_far else f"The week of {rise.week.isoformat()}"
    words = f"{what} cost {show(rise.now)}, {rise.percent:,} % above the {show(rise.before)} of the week before."
    return Alert(
        kind=Kind.TREND,
        subject=f"week of {rise.week.isoformat()}",
        severity=Severity.WARNING,
        words=f"{words} {because}".strip(),
        at=at,
        dollars=rise.now - rise.before,
        evidence=evidence,
        key=f"trend|{rise.week.isoformat()}",
        once_for=2 * _WEEK * DAY,
    )


def month_alert(month: Month, limit: Money, at: int, *, evidence: Evidence = Evidence.BILLED) -> Alert | None:
    """A month that has passed its limit, or will by what is known; None for one that will not.

    Each month is told once, and once more when it has passed.
    """
    if month.expected <= limit:
        return None
    passed = month.so_far > limit
    words = f"{month.month} has cost {show(month.so_far)}, above the limit of {show(limit)}."
    if not passed:
        words = (
            f"{month.month} has cost {show(month.so_far)} and comes to about {show(month.expected)} if its last "
            f"{month.days_left} days cost what the last {month.days} did; the limit is {show(limit)}."
        )
    return Alert(
        kind=Kind.FORECAST,
        subject=f"month {month.month}",
        severity=Severity.CRITICAL if passed else Severity.WARNING,
        words=words,
        at=at,
        dollars=month.so_far if passed else month.expected,
        evidence=evidence if passed else Evidence.ESTIMATED,
        key=f"forecast|{month.month}",
        once_for=31 * DAY,
    )

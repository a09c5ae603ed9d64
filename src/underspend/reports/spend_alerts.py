"""Weekly and monthly alerts from the ledger: what each day cost, and what made a week dearer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, func, select

from underspend.audit.days import DAY, Days
from underspend.audit.trend import Moment, trend
from underspend.core.alerts import Alert
from underspend.core.call import Role
from underspend.core.evidence import Evidence
from underspend.core.money import Money, show
from underspend.core.spend_trends import Rise, TrendRules, month_ahead, month_alert, rise_alert, week_rise
from underspend.stores.schema import LANE_COSTS, LANE_TOKENS, calls

_LOOK_BACK = 40 * DAY
_TOLD = 2
_QUARTER = 900_000_000
_PROMPT_TOKENS, _PROMPT_COSTS = LANE_TOKENS[:4], LANE_COSTS[:4]


def spend_alerts(
    engine: Engine,
    now: int,
    rules: TrendRules,
    tz: ZoneInfo | None = None,
    *,
    known: dict[date, str] | None = None,
) -> list[Alert]:
    """The alerts of an instant (µs since the epoch) from the last 40 days of a ledger; a zone of None is the machine's.

    A week's evidence is that of its weakest call. The database adds up; only what made a week dearer is read call by
    call, and `known` (week → words) remembers that for who asks again. Raises sqlalchemy.exc.DatabaseError for a ledger
    that cannot be read.
    """
    calendar, spent = Days(tz), list(_spent(engine, now))
    sums: dict[date, Money] = defaultdict(int)
    for each in spent:
        sums[calendar.date(each.at)] += each.cost
    today = calendar.date(now)
    evidence = max([Evidence.BILLED, *(each.evidence for each in spent)], key=list(Evidence).index)
    found: list[Alert | None] = []
    if (rise := week_rise(sums, today, rules)) is not None:
        known = {} if known is None else known
        if rise.week not in known:
            known[rise.week] = _because(list(_moments(engine, now)), calendar, rise)
        found.append(rise_alert(rise, now, because=known[rise.week], evidence=evidence))
    if rules.month_limit is not None and (month := month_ahead(sums, today)) is not None:
        found.append(month_alert(month, rules.month_limit, now, evidence=evidence))
    return [alert for alert in found if alert is not None]


class _Spent(NamedTuple):
    """What calls of one evidence cost in a quarter of an hour; no zone's day begins within one."""

    at: int
    cost: Money
    evidence: Evidence


def _spent(engine: Engine, now: int) -> Iterator[_Spent]:
    quarter = calls.c.started_at // _QUARTER
    asked = (
        select(quarter, func.sum(calls.c.cost_pico), calls.c.evidence)
        .where(calls.c.started_at.between(now - _LOOK_BACK, now), calls.c.cost_pico > 0)
        .group_by(quarter, calls.c.evidence)
    )
    with engine.connect() as connection:
        for number, cost, evidence in connection.execute(asked):
            yield _Spent(int(number) * _QUARTER, int(cost), Evidence(evidence) if evidence else Evidence.BILLED)


def _moments(engine: Engine, now: int) -> Iterator[Moment]:
    """The calls that cost something, in time."""
    tokens, costs = [calls.c[name] for name in _PROMPT_TOKENS], [calls.c[name] for name in _PROMPT_COSTS]
    model = func.coalesce(calls.c.model_served, calls.c.model_sent, "")
    asked = (
        select(calls.c.started_at, calls.c.cost_pico, model, calls.c.role, *tokens, *costs)
        .where(calls.c.started_at.between(now - _LOOK_BACK, now), calls.c.cost_pico > 0)
        .order_by(calls.c.started_at)
    )
    with engine.connect() as connection:
        for at, cost, served, role, *lanes in connection.execute(asked):
            prompt, prompt_cost = sum(lanes[: len(tokens)]), sum(lanes[len(tokens) :])
            yield Moment(at, cost, prompt, prompt_cost, served, role == Role.SUBAGENT)


def _because(moments: list[Moment], calendar: Days, rise: Rise) -> str:
    """What raised a week most, by the audit's trend; the whole week before is compared, as it was for the rise."""
    end = calendar.starts(rise.week + timedelta(days=7))
    found = trend([each for each in moments if each.at < end], calendar, end)
    causes = [cause for cause in found.causes if cause.amount > 0][:_TOLD] if found is not None else []
    if not causes:
        return ""
    return f"What rose most: {' and '.join(f'{cause.what} ({show(cause.amount)})' for cause in causes)}."

"""One week against the week before it, the causes of the difference, and where the month is going."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import msgspec

from underspend.audit.bills import Billed
from underspend.audit.days import DAY, Days
from underspend.core.money import Money
from underspend.core.usage import PLACES, Lane

VOLUME, FAN_OUT, MODELS = "volume: calls of the main loop", "fan-out: calls of sub-agents", "model mix"
CONTEXT, CACHE, REST = "context size", "cache misses", "output, searches and prices"
RISE = Fraction(30, 100)
"""From which rise on the causes are worth telling."""

_LOOK_BACK = 28
_FAR_BACK = 33 * DAY
_OUTPUT = PLACES[Lane.OUTPUT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Dollars by which one cause raised (or, below zero, lowered) the week."""

    what: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A week and the same stretch of the week before: `now` − `before` is the sum of the causes, largest first."""

    week: date
    now: Money
    before: Money
    causes: tuple[Cause, ...]
    partial: bool

    @property
    def rose(self) -> bool:
        """Whether it is a rise worth explaining: 30 % or more."""
        return self.before > 0 and Fraction(self.now - self.before, self.before) >= RISE


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A month: what it has cost so far, and what it comes to if its remaining days cost what the last 28 did."""

    month: str
    so_far: Money
    expected: Money
    days_left: int


class Moment(msgspec.Struct, array_like=True, gc=False):
    """One reply as far as time is concerned: `prompt_cost` is what its prompt cost of `cost`."""

    at: int
    cost: Money
    prompt: int
    prompt_cost: Money
    model: str
    is_agent: bool


def moments(billed: Iterable[Billed]) -> list[Moment]:
    """The replies as moments, in their order."""
    found = []
    for each in billed:
        usage, amounts = each.usage, each.bill.by_lane
        prompt = usage.input + usage.cache_write_5m + usage.cache_write_1h + usage.cache_read
        paid = sum(amounts[:_OUTPUT])
        found.append(Moment(each.reply.at, each.bill.total, prompt, paid, each.model, each.is_agent))
    return found


def looked_back_to(last: int, now: int) -> int:
    """The instant before which no moment bears on trend or forecast, where `last` is the last reply's."""
    return min(last, now) - _FAR_BACK


def trend(moments: Sequence[Moment], days: Days, now: int) -> Trend | None:
    """The newest week with replies, from moments in time; None when it or the week before it has none.

    While that week is still running, the same stretch of the week before is compared.
    """
    if not moments:
        return None
    week = days.week(moments[-1].at)
    since, earlier = days.starts(week), days.starts(week - timedelta(days=7))
    until = days.starts(week + timedelta(days=7))
    partial = now < until
    end = since if not partial else min(since, earlier + (now - since))
    this = [each for each in moments if since <= each.at < until]
    last = [each for each in moments if earlier <= each.at < end]
    if not this or not last:
        return None
    return Trend(
        week=week,
        now=sum(each.cost for each in this),
        before=sum(each.cost for each in last),
        causes=tuple(sorted(_causes(last, this), key=lambda cause: (-abs(cause.amount), cause.what))),
        partial=partial,
    )


def forecast(moments: Sequence[Moment], days: Days, now: int, *, first_at: int) -> Forecast | None:
    """The month that `now` lies in; None when the last 28 days have no reply. `first_at` is the first reply's time."""
    recent = [each for each in moments if now - _LOOK_BACK * DAY <= each.at <= now]
    if not recent:
        return None
    today = days.date(now)
    month = today.strftime("%Y-%m")
    after = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    left = (after - today).days - 1
    so_far = sum(each.cost for each in moments if each.at <= now and days.day(each.at)[:7] == month)
    # Someone who began last week is not judged by the weeks before.
    seen = min(_LOOK_BACK, (today - days.date(first_at)).days + 1)
    rate = Fraction(sum(each.cost for each in recent), seen)
    return Forecast(month=month, so_far=so_far, expected=so_far + round(rate * left), days_left=left)


@dataclass(slots=True)
class _Share:
    """The calls of one model in one role, in one week."""

    calls: int = 0
    prompt: int = 0
    prompt_cost: Money = 0
    cost: Money = 0


_Role = tuple[str, bool]


def _shares(moments: Iterable[Moment]) -> dict[_Role, _Share]:
    found: dict[_Role, _Share] = defaultdict(_Share)
    for each in moments:
        share = found[each.model, each.is_agent]
        share.calls += 1
        share.prompt += each.prompt
        share.prompt_cost += each.prompt_cost
        share.cost += each.cost
    return found


def _causes(last: Sequence[Moment], this: Sequence[Moment]) -> list[Cause]:
    """The week before turned into this one, one step at a time; each step's dollars are its cause's.

    First as many calls of the main loop, then of sub-agents, then this week's models, then its prompt lengths, then
    its prices per prompt token (which the share of cache reads makes), then everything else.
    """
    before, now = _shares(last), _shares(this)
    start = Fraction(sum(each.cost for each in last))
    main = _scaled(before, now, agents=False)
    fan = _scaled(before, now, agents=True)
    after_main = sum(main.values()) + sum(share.cost for (_, agent), share in before.items() if agent)
    after_fan = sum(main.values()) + sum(fan.values())
    mixed, longer, missed = (_stepped(before, now, step) for step in range(3))
    end = Fraction(sum(each.cost for each in this))
    points = (start, after_main, after_fan, mixed, longer, missed, end)
    whole = [round(point) for point in points]
    names = (VOLUME, FAN_OUT, MODELS, CONTEXT, CACHE, REST)
    steps = [then - first for first, then in pairwise(whole)]
    return [Cause(what=what, amount=amount) for what, amount in zip(names, steps, strict=True) if amount]


def _scaled(before: Mapping[_Role, _Share], now: Mapping[_Role, _Share], *, agents: bool) -> dict[_Role, Fraction]:
    """Last week's costs of one role at this week's number of calls; a role that is new costs what all calls did."""
    had = sum(share.calls for (_, agent), share in before.items() if agent is agents)
    have = sum(share.calls for (_, agent), share in now.items() if agent is agents)
    if not had:
        calls = sum(share.calls for share in before.values())
        return {("", agents): Fraction(sum(share.cost for share in before.values()) * have, calls)}
    return {role: Fraction(share.cost * have, had) for role, share in before.items() if role[1] is agents}


def _stepped(before: Mapping[_Role, _Share], now: Mapping[_Role, _Share], step: int) -> Fraction:
    """The calls of this week by model: 0 at last week's cost each; 1 with their own prompts; 2 at their prompt prices.

    A model that is new this week comes as it is: all of its difference is the mix's.
    """
    total = Fraction(0)
    for role, share in now.items():
        old = before.get(role)
        if old is None:
            total += share.cost
            continue
        rest = Fraction((old.cost - old.prompt_cost) * share.calls, old.calls)
        length = Fraction(share.prompt, share.calls) if step else Fraction(old.prompt, old.calls)
        # Without a prompt there is no price per token to carry over.
        price = Fraction(old.prompt_cost, old.prompt) if old.prompt else Fraction(0)
        if step > 1 and share.prompt:
            price = Fraction(share.prompt_cost, share.prompt)
        total += rest + share.calls * length * price
    return total

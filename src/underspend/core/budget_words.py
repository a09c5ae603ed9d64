"""What a user reads of a budget: what happened, how much is left, when it begins again and how to go on."""

from __future__ import annotations

from underspend.core.budgets import AtCap, Budget, Crossing, Scope
from underspend.core.holds import Standing
from underspend.core.money import Money, show
from underspend.core.windows import DAY, MINUTE, Kind, Unit, Zone, civil, period

_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905  # reads better
)


def described(budget: Budget, account: str = "") -> str:
    """The cap and what it is for: "$5.00 per calendar day of project web"."""
    kind = budget.window.kind
    per = {
        Kind.SESSION: "per session",
        Kind.FAN_OUT: "per group of sub-agents",
        Kind.REQUEST: "per request",
        Kind.CALENDAR: f"per {budget.window.unit}",
        Kind.ROLLING: f"in any {budget.window.unit}",
    }[kind]
    return f"{show(budget.cap)} {per}{_whose(budget, account)}"


def breach(budget: Budget, standing: Standing, most: Money, now: int) -> str:
    """Why a call was not sent, and how to go on."""
    in_flight = f", {show(standing.held)} is held for calls in flight" if standing.held else ""
    cap = standing.cap if standing.cap is not None else budget.cap
    raised = f" (raised to {show(cap)})" if cap != budget.cap else ""
    return (
        f"The budget '{budget.name}' of {described(budget, standing.account)}{raised} has no room for this call: "
        f"{show(standing.spent)} is spent{in_flight}, and the call could cost up to {show(most)}, "
        f"{show(standing.short(most))} too much. {_again(budget, standing, now)}{_ways_on(budget)}"
    )


def request_breach(budget: Budget, most: Money) -> str:
    """Why a call that alone could pass a request budget was not sent, or was ended."""
    if budget.at_cap is AtCap.END:
        return f"The reply was ended here: it reached the budget '{budget.name}' of {described(budget)}."
    return (
        f"The budget '{budget.name}' of {described(budget)} has no room for this call: "
        f"it could cost up to {show(most)}. Ask for less output or send a shorter prompt.{_ways_on(budget)}"
    )


def warning(budget: Budget, standing: Standing) -> str:
    """What a budget that only warns says of a call that may pass it."""
    return (
        f"The budget '{budget.name}' of {described(budget, standing.account)} is used up: "
        f"{show(standing.spent)} is spent and {show(standing.held)} held for calls in flight."
    )


def told(budget: Budget, crossing: Crossing) -> str:
    """A threshold's line for an alert."""
    return (
        f"{crossing.percent} % of the budget '{budget.name}' is spent: {show(crossing.spent)} of {show(crossing.cap)}"
        f"{_whose(budget, crossing.account)}."
    )


def unavailable(budget: Budget, problem: str) -> str:
    """Why a call was not sent while the store of a budget that blocks cannot be asked."""
    return (
        f"The budget '{budget.name}' of {described(budget)} cannot be checked ({problem}), and it is set to block, "
        f"so the call was not sent. Mend the store, or set the budget's action to warn."
    )


def unknown(budget: Budget) -> str:
    """Why a call whose request cannot be read was not sent."""
    return (
        f"The budget '{budget.name}' of {described(budget)} is set to block, and what this call could cost cannot be "
        f"known, so it was not sent. To send it all the same, {_pause(budget)}."
    )


def no_batches(budget: Budget) -> str:
    """Why a message batch was not sent."""
    return (
        f"The budget '{budget.name}' of {described(budget)} is set to block, and what a message batch costs is known "
        f"only when its results are fetched, so it was not sent. To send it all the same, {_pause(budget)}."
    )


def moment(at: int, zone: Zone) -> str:
    """An instant as the zone's clock has it, to the minute: "00:00 on 21 November (Europe/Berlin)"."""
    day, rest = divmod(at + zone.offset(at), DAY)
    _, month, of_month = civil(day)
    hours, minutes = divmod(rest // MINUTE, 60)
    return f"{hours:02}:{minutes:02} on {of_month} {_MONTHS[month - 1]} ({zone.name})"


def _whose(budget: Budget, account: str) -> str:
    if budget.scope is Scope.ALL:
        return ""
    value = budget.only
    if value is None and account.startswith(budget.series):
        value = account.removeprefix(budget.series).split("|")[0].replace("%7C", "|").replace("%25", "%")
    return f" for each {budget.scope.value}" if value is None else f" for {budget.scope.value} {value}"


def _again(budget: Budget, standing: Standing, now: int) -> str:
    if not standing.spent:
        return "It has room again when the calls in flight are done. " if standing.held else ""
    if budget.window.kind is Kind.ROLLING:
        article = "an" if budget.window.unit is Unit.HOUR else "a"
        return f"Room comes back as what was spent grows older than {article} {budget.window.unit}. "
    ends = period(budget.window, now, budget.zone).ends
    return f"It begins again at {moment(ends, budget.zone)}. " if ends is not None else ""


def _ways_on(budget: Budget) -> str:
    if budget.window.kind is Kind.REQUEST:
        return ""
    return (
        f"To go on now, raise it (underspend budget raise {budget.name} --to DOLLARS --until TIME) or {_pause(budget)}."
    )


def _pause(budget: Budget) -> str:
    return f"pause it (underspend budget pause {budget.name})"

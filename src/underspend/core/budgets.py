"""Budgets: which of them a call falls under, what it claims of each, and what its answer means. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from underspend.core.call import Call, Role
from underspend.core.holds import Booking, Claim, Standing
from underspend.core.money import Money
from underspend.core.windows import DAY, FOREVER, UTC, Kind, Unit, Window, Zone, length, period

THRESHOLDS = (50, 80, 100)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_UNKNOWN = "?"
_SESSIONLESS = Window(Kind.ROLLING, Unit.DAY)
_OF_SESSIONS = {Kind.SESSION: 2, Kind.FAN_OUT: 3}
"""Windows whose accounts are a session's, with how many parts their names have; one more where there is no session."""
_PERCENT = 100
_LOST = {ord("%"): "%25", ord("|"): "%7C"}


class Scope(StrEnum):
    """Whose calls a budget counts."""

    ALL = "all"
    PROJECT = "project"
    KEY = "key"
    USER = "user"
    TAG = "tag"
    MODEL = "model"
    ROLE = "role"


class Action(StrEnum):
    """What happens at the cap: it is said, a cheaper model is used, or the call is not sent."""

    WARN = "warn"
    DOWNGRADE = "downgrade"
    BLOCK = "block"


class AtCap(StrEnum):
    """What a request budget does with a call that could pass it: not send it, or end its reply at the cap."""

    REFUSE = "refuse"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A cap in pico-dollars on what calls of a scope may cost within a window.

    Without `only` every value of the scope (each project, each key …) has the cap for itself; with it only that value's
    calls count. `zone` is where calendar windows begin. `downgrade_to` is a model, for that action alone; `at_cap` is
    for request windows. `thresholds` are percents of the cap, each told once per window.
    """

    name: str
    cap: Money
    window: Window
    zone: Zone = UTC
    scope: Scope = Scope.ALL
    only: str | None = None
    action: Action = Action.WARN
    thresholds: tuple[int, ...] = THRESHOLDS
    downgrade_to: str = ""
    at_cap: AtCap = AtCap.REFUSE

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, when the configuration is read. Raises ValueError."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a budget: letters, digits, '.', '_' and '-', up to 64")
        if self.cap < 0:
            raise ValueError(f"the cap of {self.name} is below zero")
        if self.scope is Scope.ALL and self.only is not None:
            raise ValueError(f"{self.name} counts all calls, so it cannot count {self.only!r} only")
        if (self.action is Action.DOWNGRADE) != bool(self.downgrade_to):
            raise ValueError(f"{self.name}: the action 'downgrade' and a model to go to belong together")
        if self.at_cap is AtCap.END and (self.window.kind is not Kind.REQUEST or self.action is not Action.BLOCK):
            raise ValueError(f"{self.name}: only a 'block' budget of one request can end a reply at its cap")
        if any(percent <= 0 for percent in self.thresholds):
            raise ValueError(f"{self.name}: a threshold is a percentage above zero")

    @property
    def series(self) -> str:
        """The budget with all that decides what is counted in it: another cap is the same series, another window not.

        Ends with "|", so that no series begins with another.
        """
        zone = self.zone.name if self.window.kind is Kind.CALENDAR else ""
        parts = (self.name, str(self.window), zone, self.scope.value, *(() if self.only is None else (self.only,)))
        return "".join(f"{_part(part)}|" for part in parts)

    @property
    def is_enforced(self) -> bool:
        """Whether calls are refused at the cap."""
        return self.action is Action.BLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What budgets go by of a call. Values are cut as the ledger cuts them, so that both count the same."""

    model: str
    role: Role = Role.UNKNOWN
    project: str | None = None
    key: str | None = None
    user: str | None = None
    tags: tuple[str, ...] = ()
    session: str | None = None
    agent: str | None = None
    parent_agent: str | None = None

    def values(self, scope: Scope) -> tuple[str, ...]:
        """The call's values of a scope. One that is unknown is "?": it has a budget as well, and slips none."""
        match scope:
            case Scope.ALL:
                return ("",)
            case Scope.TAG:
                return tuple(dict.fromkeys(self.tags)) or (_UNKNOWN,)
            case Scope.ROLE:
                return (self.role.value,)
            case _:
                one = {Scope.PROJECT: self.project, Scope.KEY: self.key, Scope.USER: self.user, Scope.MODEL: self.model}
                return (one[scope] or _UNKNOWN,)


def subject_of(call: Call) -> Subject:
    """The subject of a call as it will be sent: its model counts, not the one asked for."""
    identity = call.identity
    return Subject(
        model=call.model[:128],
        role=identity.role,
        project=_cut(identity.project, 255),
        key=_cut(identity.key, 32),
        user=_cut(identity.user, 255),
        tags=identity.tags,
        session=_cut(identity.session, 128),
        agent=_cut(identity.agent, 64),
        parent_agent=_cut(identity.parent_agent, 64),
    )


def claims(budgets: Iterable[Budget], subject: Subject, at: int) -> tuple[Claim, ...]:
    """What a call begun at an instant claims of every budget it falls under, in the order of the budgets.

    Request budgets are not among them: they have nothing to add up (`over_request`).
    """
    return tuple(
        _claim(budget, subject, value, at)
        for budget in budgets
        if budget.window.kind is not Kind.REQUEST
        for value in _values(budget, subject)
    )


def requests(budgets: Iterable[Budget], subject: Subject) -> tuple[Budget, ...]:
    """The request budgets a call falls under, the smallest cap first."""
    return tuple(
        sorted(
            (each for each in budgets if each.window.kind is Kind.REQUEST and _values(each, subject)),
            key=lambda budget: budget.cap,
        )
    )


def over_request(budgets: Sequence[Budget], most: Money) -> Budget | None:
    """The first of some request budgets that a call of this worst case could pass; None where it fits in all."""
    return next((budget for budget in budgets if most > budget.cap), None)


def to_reserve(budgets: Sequence[Budget], most: Money) -> Money:
    """What a call must hold: its worst case, or the smallest cap at which its reply will be ended.

    A provider bills what it has written until it notices the end, so such a call can pass that cap by a little.
    """
    return min([most, *(each.cap for each in budgets if each.at_cap is AtCap.END)])


def _values(budget: Budget, subject: Subject) -> tuple[str, ...]:
    if budget.window.kind is Kind.FAN_OUT and subject.agent is None and subject.role is not Role.SUBAGENT:
        return ()
    values = subject.values(budget.scope)
    return values if budget.only is None else tuple(value for value in values if value == budget.only)


def claims_on(budget: Budget, accounts: Iterable[str], at: int) -> tuple[Claim, ...]:
    """Claims on accounts of a budget's series by name (`Holds.accounts`), to show how they stand."""
    return tuple(
        _claim_on(budget, tuple(account.removeprefix(budget.series).split("|")), at)
        for account in accounts
        if account.startswith(budget.series)
    )


def _claim(budget: Budget, subject: Subject, value: str, at: int) -> Claim:
    parts = [value]
    if budget.window.kind in _OF_SESSIONS:
        parts += [_UNKNOWN, subject.key or _UNKNOWN] if subject.session is None else [subject.session]
    if budget.window.kind is Kind.FAN_OUT:
        parts.append(subject.parent_agent or "main")
    return _claim_on(budget, tuple(_part(part) for part in parts), at)


def _claim_on(budget: Budget, parts: tuple[str, ...], at: int) -> Claim:
    window, series = budget.window, budget.series
    if len(parts) > _OF_SESSIONS.get(window.kind, len(parts)):
        # No session ends what has none, so it cannot have a cap for ever: a key's last 24 hours are one instead.
        window = _SESSIONLESS
    now = period(window, at, budget.zone)
    return Claim(
        budget=budget.name,
        series=series,
        account=series + "|".join(parts),
        cap=budget.cap,
        enforced=budget.is_enforced,
        bucket=now.bucket,
        since=now.since,
        until=now.until,
        forget=now.forget,
    )


def _part(text: str) -> str:
    """A name that has no "|" in it and differs where the text does; what UTF-8 cannot say is replaced."""
    return text.translate(_LOST).encode("utf-8", "backslashreplace").decode()


def _cut(value: str | None, size: int) -> str | None:
    return value[:size] if value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCall:
    """A call of the ledger: who, when it began (µs since the epoch), what it cost."""

    subject: Subject
    at: int
    amount: Money


def needed_since(budgets: Iterable[Budget], now: int) -> int:
    """How far back calls of the ledger still count in some budget; `now` where none does."""
    return min((_since(budget, now) for budget in budgets if budget.window.kind is not Kind.REQUEST), default=now)


def _since(budget: Budget, now: int) -> int:
    if budget.window.kind in _OF_SESSIONS:
        return 2 * now - period(budget.window, now, budget.zone).forget
    return period(budget.window, now, budget.zone).since


def bookings(budget: Budget, past: Iterable[PastCall]) -> tuple[Booking, ...]:
    """What past calls come to in a budget's accounts: what its series is restored from. A call counts when it began."""
    sums: dict[tuple[str, int], tuple[Money, int]] = {}
    for call in past:
        for claim in claims((budget,), call.subject, call.at):
            amount, forget = sums.get((claim.account, claim.bucket), (0, 0))
            sums[claim.account, claim.bucket] = (amount + call.amount, max(forget, claim.forget))
    return tuple(Booking(account, bucket, *booked) for (account, bucket), booked in sums.items())


@dataclass(frozen=True, slots=True)
class Crossing:
    """An account that has passed a share of its cap. It is not told again before `until`."""

    budget: str
    account: str
    percent: int
    spent: Money
    cap: Money
    until: int


def crossings(budget: Budget, claim: Claim, standing: Standing, now: int) -> tuple[Crossing, ...]:
    """Every threshold that what is spent has reached, lowest first; none while the budget is paused.

    Tell each only where `Holds.tell` says that nobody has: a calendar window's until its end, a rolling one's until as
    long again as the window, a session's once.
    """
    cap = standing.cap
    if cap is None:
        return ()
    reached = (each for each in sorted(budget.thresholds) if standing.spent * _PERCENT >= cap * each)
    until = claim.until
    if claim.until == FOREVER and claim.bucket:
        until = now + (length(budget.window.unit) if budget.window.unit is not None else DAY)
    return tuple(Crossing(budget.name, claim.account, each, standing.spent, cap, until) for each in reached)


def over(budgets: Iterable[Budget], standings: Sequence[Standing], most: Money) -> tuple[tuple[Budget, Standing], ...]:
    """The budgets in whose accounts a call of this worst case has no room, by the accounts as they stand without it."""
    by_name = {budget.name: budget for budget in budgets}
    return tuple((by_name[each.budget], each) for each in standings if each.short(most))

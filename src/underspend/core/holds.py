"""What a store of holds is asked and what it answers: the port, and the words it speaks.

A hold keeps room in one or more accounts for the most that a call can cost, until the call is settled or released, or
the hold expires. Times are arguments, in microseconds since the epoch; amounts are pico-dollars.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from underspend.core.errors import UnderspendError
from underspend.core.money import Money
from underspend.core.windows import DAY

KEEP = DAY
"""How long a hold is remembered after it has ended: what is said twice of it, or late, still finds it."""


class HoldsError(UnderspendError):
    """The budgets' store at {where} cannot be used: {problem}."""

    exit_code = 4


class HoldsLostError(HoldsError):
    """The budgets' store at {where} is new or was emptied; the ledger's sums of {series} must be restored first."""

    def __init__(self, *, where: str, series: Sequence[str]) -> None:
        super().__init__(where=where, series=", ".join(series))
        self.series = tuple(series)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call asks of one account.

    `series` names the budget together with all that decides what is counted in it, `account` the one sum in it that
    this call belongs to. Bookings of buckets from `since` to before `until` count against the cap; this call's is
    booked under `bucket`, of which nobody asks after `forget`. One that is not `enforced` is counted, never refused.
    """

    budget: str
    series: str
    account: str
    cap: Money
    enforced: bool
    bucket: int
    since: int
    until: int
    forget: int


@dataclass(frozen=True, slots=True)
class Standing:
    """An account as it stands. `cap` is the one in force, with a raise in it; None while the budget is paused."""

    budget: str
    account: str
    cap: Money | None
    spent: Money
    held: Money

    @property
    def used(self) -> Money:
        """Spent, and held for calls in flight."""
        return self.spent + self.held

    @property
    def room(self) -> Money | None:
        """What may still be reserved, 0 where the cap is passed; None while there is no cap."""
        return None if self.cap is None else max(0, self.cap - self.used)

    def short(self, amount: Money) -> Money:
        """By how much an amount does not fit; 0 where it does."""
        return 0 if self.cap is None else max(0, self.used + amount - self.cap)


@dataclass(frozen=True, slots=True)
class Reserved:
    """The hold stands. `standings` are its accounts with it, in the order of the claims."""

    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was held: `amount` does not fit in the accounts `full`, which stand as they do without it."""

    amount: Money
    full: tuple[Standing, ...]


Answer: TypeAlias = Reserved | Refused


@dataclass(frozen=True, slots=True)
class Booking:
    """What calls of the past cost, of one account and bucket."""

    account: str
    bucket: int
    amount: Money
    forget: int


@dataclass(frozen=True, slots=True)
class Override:
    """A cap in place of a budget's own, until an instant; None lifts the cap. Lower than the budget's is no override.

    `target` is a budget's name, for all its accounts, or one account, which then goes before the budget.
    """

    target: str
    cap: Money | None
    until: int


class Holds(Protocol):
    """Where holds are kept. Every method is atomic across threads and across all who share the store.

    Of a call that a method was told of before, it says the same again and changes nothing. Methods raise HoldsError
    where the store cannot be used. `waits` is whether they wait for a disk or a network, which an event loop may not.
    """

    waits: ClassVar[bool]

    def reserve(self, call: str, claims: Sequence[Claim], amount: Money, *, now: int, expires: int) -> Answer:
        """Hold `amount` in all claimed accounts, or in none where one that is enforced has no room for it.

        The hold counts while now < expires; one that a reservation has seen expired stays so. Raises HoldsLostError
        for a series that was never restored.
        """
        ...

    def renew(self, calls: Sequence[str], *, now: int, expires: int) -> tuple[str, ...]:
        """Let holds expire later, never sooner; those that still stand. One that expired has given its room away."""
        ...

    def settle(self, call: str, amount: Money, *, now: int, claims: Sequence[Claim] = ()) -> bool:
        """Book what a call cost, above its hold too, and also when the hold has expired; whether that changed anything.

        A call without a hold is booked under `claims`; without those it is not.
        """
        ...

    def release(self, call: str, *, now: int) -> bool:
        """Let go of a hold of which nothing was spent; whether that changed anything."""
        ...

    def expire(self, *, now: int) -> tuple[str, ...]:
        """Calls whose holds have expired and were neither settled nor released; what nobody asks for is forgotten."""
        ...

    def standings(self, claims: Sequence[Claim], *, now: int) -> tuple[Standing, ...]:
        """The claimed accounts as they stand, in order. An account without a booking stands at zero."""
        ...

    def accounts(self, series: str) -> tuple[str, ...]:
        """The accounts of a series that have bookings or holds, sorted."""
        ...

    def override(self, change: Override) -> None:
        """Raise a cap or lift it for a time; the last word on a target holds."""
        ...

    def withdraw(self, target: str) -> bool:
        """Take an override back; whether there was one."""
        ...

    def overrides(self, *, now: int) -> tuple[Override, ...]:
        """The overrides in force, by target."""
        ...

    def lacking(self, series: Iterable[str]) -> tuple[str, ...]:
        """Those of the series that were never restored here."""
        ...

    def restore(self, series: str, bookings: Iterable[Booking], *, now: int) -> bool:
        """Add what the ledger has of a series, once: False, and nothing done, where that has happened."""
        ...

    def tell(self, account: str, percent: int, *, now: int, until: int) -> bool:
        """True for the first who tells of an account that it crossed a threshold; False for all others till then."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


def cap_in_force(claim: Claim, changes: Sequence[Override]) -> Money | None:
    """The cap of a claim under the overrides in force; None where it is lifted."""
    by_target = {change.target: change for change in changes}
    change = by_target.get(claim.account) or by_target.get(claim.budget)
    if change is None:
        return claim.cap
    return None if change.cap is None else max(claim.cap, change.cap)

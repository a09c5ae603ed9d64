"""Holds of one process: in memory, and so restored from the ledger at every start."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from underspend.core.holds import (
    KEEP,
    Answer,
    Booking,
    Claim,
    HoldsLostError,
    Override,
    Refused,
    Reserved,
    Standing,
    cap_in_force,
)
from underspend.core.money import Money


@dataclass(slots=True)
class _Hold:
    """One call's. `claims` is empty once it has been settled or released."""

    amount: Money
    expires: int
    keep_until: int
    claims: tuple[Claim, ...]
    is_open: bool = True


@dataclass(slots=True)
class _Account:
    spent: dict[int, Money] = field(default_factory=dict)
    forget: dict[int, int] = field(default_factory=dict)
    holds: dict[str, _Hold] = field(default_factory=dict)
    buckets: dict[str, int] = field(default_factory=dict)

    @property
    def in_use(self) -> bool:
        return bool(self.spent) or any(hold.expires for hold in self.holds.values())


class MemoryHolds:
    """`core.holds.Holds` in plain dictionaries. Threads may share it."""

    waits: ClassVar[bool] = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[str, _Hold] = {}
        self._accounts: defaultdict[str, _Account] = defaultdict(_Account)
        self._series: set[str] = set()
        self._overrides: dict[str, Override] = {}
        self._told: dict[tuple[str, int], int] = {}

    def reserve(self, call: str, claims: Sequence[Claim], amount: Money, *, now: int, expires: int) -> Answer:
        """A hold in all accounts, or in none and the accounts without room."""
        with self._lock:
            lost = tuple(dict.fromkeys(claim.series for claim in claims if claim.series not in self._series))
            if lost:
                raise HoldsLostError(where="memory", series=lost)
            if call not in self._calls:
                self._bury(claims, now)
                before = self._standings(claims, now)
                full = (each for claim, each in zip(claims, before, strict=True) if claim.enforced)
                refused = tuple(each for each in full if each.short(amount))
                if refused:
                    return Refused(amount, refused)
                self._hold(call, _Hold(amount, expires, expires + KEEP, tuple(claims)))
            return Reserved(self._standings(claims, now))

    def renew(self, calls: Sequence[str], *, now: int, expires: int) -> tuple[str, ...]:
        """The holds that still stand, now until `expires` at least."""
        with self._lock:
            alive = [(call, hold) for call in calls if (hold := self._calls.get(call)) is not None]
            alive = [(call, hold) for call, hold in alive if hold.is_open and hold.expires > now]
            for _, hold in alive:
                hold.expires = max(hold.expires, expires)
                hold.keep_until = hold.expires + KEEP
            return tuple(call for call, _ in alive)

    def settle(self, call: str, amount: Money, *, now: int, claims: Sequence[Claim] = ()) -> bool:
        """Whether the amount was booked by this."""
        with self._lock:
            hold = self._calls.get(call)
            if hold is None:
                if not claims:
                    return False
                hold = self._calls[call] = _Hold(0, now, now + KEEP, tuple(claims))
            elif not hold.is_open:
                return False
            for claim in hold.claims:
                self._book(claim.account, claim.bucket, amount, claim.forget)
            self._end(call, hold, now)
            return True

    def release(self, call: str, *, now: int) -> bool:
        """Whether a hold ended by this."""
        with self._lock:
            hold = self._calls.get(call)
            if hold is None or not hold.is_open:
                return False
            self._end(call, hold, now)
            return True

    def expire(self, *, now: int) -> tuple[str, ...]:
        """Calls whose holds ran out; what is old is forgotten."""
        with self._lock:
            for call, hold in [each for each in self._calls.items() if each[1].keep_until <= now]:
                self._end(call, hold, now)
                del self._calls[call]
            self._told = {name: until for name, until in self._told.items() if until > now}
            self._overrides = {name: each for name, each in self._overrides.items() if each.until > now}
            for name, account in list(self._accounts.items()):
                for bucket in [bucket for bucket, forget in account.forget.items() if forget <= now]:
                    del account.spent[bucket], account.forget[bucket]
                if not account.spent and not account.holds:
                    del self._accounts[name]
            return tuple(sorted(call for call, hold in self._calls.items() if hold.is_open and hold.expires <= now))

    def standings(self, claims: Sequence[Claim], *, now: int) -> tuple[Standing, ...]:
        """The accounts as they stand."""
        with self._lock:
            return self._standings(claims, now)

    def accounts(self, series: str) -> tuple[str, ...]:
        """The accounts of a series, sorted."""
        with self._lock:
            known = ((name, each) for name, each in self._accounts.items() if each.in_use)
            return tuple(sorted(name for name, _ in known if name.startswith(series)))

    def override(self, change: Override) -> None:
        """Keeps it until its time is over."""
        with self._lock:
            self._overrides[change.target] = change

    def withdraw(self, target: str) -> bool:
        """Whether there was one."""
        with self._lock:
            return self._overrides.pop(target, None) is not None

    def overrides(self, *, now: int) -> tuple[Override, ...]:
        """Those in force, by target."""
        with self._lock:
            return self._in_force(now)

    def lacking(self, series: Iterable[str]) -> tuple[str, ...]:
        """Those never restored."""
        with self._lock:
            return tuple(each for each in series if each not in self._series)

    def restore(self, series: str, bookings: Iterable[Booking], *, now: int) -> bool:  # noqa: ARG002  # the port's
        """Whether the bookings were added by this."""
        with self._lock:
            if series in self._series:
                return False
            self._series.add(series)
            for each in bookings:
                self._book(each.account, each.bucket, each.amount, each.forget)
            return True

    def tell(self, account: str, percent: int, *, now: int, until: int) -> bool:
        """Whether nobody was told yet."""
        with self._lock:
            if self._told.get((account, percent), 0) > now:
                return False
            self._told[account, percent] = until
            return True

    def close(self) -> None:
        """Nothing is open."""

    def _bury(self, claims: Sequence[Claim], now: int) -> None:
        """Mark holds that have run out, so that they stay so: another's clock may be behind the one that saw it."""
        for claim in claims:
            account = self._accounts.get(claim.account)
            for hold in account.holds.values() if account is not None else ():
                if hold.expires <= now:
                    hold.expires = 0

    def _hold(self, call: str, hold: _Hold) -> None:
        self._calls[call] = hold
        for claim in hold.claims:
            account = self._accounts[claim.account]
            account.holds[call] = hold
            account.buckets[call] = claim.bucket

    def _end(self, call: str, hold: _Hold, now: int) -> None:
        for claim in hold.claims:
            account = self._accounts[claim.account]
            account.holds.pop(call, None)
            account.buckets.pop(call, None)
        hold.is_open, hold.claims, hold.keep_until = False, (), now + KEEP

    def _book(self, name: str, bucket: int, amount: Money, forget: int) -> None:
        account = self._accounts[name]
        account.spent[bucket] = account.spent.get(bucket, 0) + amount
        account.forget[bucket] = max(account.forget.get(bucket, 0), forget)

    def _standings(self, claims: Sequence[Claim], now: int) -> tuple[Standing, ...]:
        changes = self._in_force(now)
        return tuple(self._standing(claim, cap_in_force(claim, changes), now) for claim in claims)

    def _standing(self, claim: Claim, cap: Money | None, now: int) -> Standing:
        account = self._accounts.get(claim.account)
        if account is None:
            return Standing(claim.budget, claim.account, cap, 0, 0)
        spent = sum(amount for bucket, amount in account.spent.items() if claim.since <= bucket < claim.until)
        held = sum(
            hold.amount
            for call, hold in account.holds.items()
            if hold.expires > now and claim.since <= account.buckets[call] < claim.until
        )
        return Standing(claim.budget, claim.account, cap, spent, held)

    def _in_force(self, now: int) -> tuple[Override, ...]:
        return tuple(each for _, each in sorted(self._overrides.items()) if each.until > now)

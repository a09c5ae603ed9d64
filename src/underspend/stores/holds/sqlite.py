"""Holds of all processes of one machine, in a SQLite file of their own.

The ledger's file has one writer, which commits in batches; a hold cannot wait for those, so it has its own file. Each
method is one `BEGIN IMMEDIATE` transaction: whoever has it is alone. A process that is killed inside one leaves nothing
of it behind. WAL with `synchronous=NORMAL` survives the death of every process; `power_safe` that of the machine too.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from underspend.core.holds import (
    KEEP,
    Answer,
    Booking,
    Claim,
    HoldsError,
    HoldsLostError,
    Override,
    Refused,
    Reserved,
    Standing,
    cap_in_force,
)
from underspend.core.money import Money

_VERSION = 1
_SCHEMA = """
CREATE TABLE calls (call TEXT PRIMARY KEY, is_open INTEGER NOT NULL, expires INTEGER NOT NULL,
                    keep_until INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX calls_keep ON calls (keep_until);
CREATE TABLE claims (account TEXT NOT NULL, call TEXT NOT NULL, bucket INTEGER NOT NULL, forget INTEGER NOT NULL,
                     amount INTEGER NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (account, call)) WITHOUT ROWID;
CREATE INDEX claims_call ON claims (call);
CREATE TABLE spent (account TEXT NOT NULL, bucket INTEGER NOT NULL, amount INTEGER NOT NULL, forget INTEGER NOT NULL,
                    PRIMARY KEY (account, bucket)) WITHOUT ROWID;
CREATE INDEX spent_forget ON spent (forget);
CREATE TABLE series (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE overrides (target TEXT PRIMARY KEY, cap INTEGER, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE told (account TEXT NOT NULL, percent INTEGER NOT NULL, until INTEGER NOT NULL,
                   PRIMARY KEY (account, percent)) WITHOUT ROWID;
"""


class SqliteHolds:
    """`core.holds.Holds` in a file. Threads may share it, and so may processes.

    Waits up to `busy_ms` for its turn. Raises HoldsError for a file that cannot be opened or is of a newer version.
    """

    waits: ClassVar[bool] = True

    def __init__(self, path: Path, *, busy_ms: int = 5_000, power_safe: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._explained():
            self._db = sqlite3.connect(path, timeout=busy_ms / 1_000, isolation_level=None, check_same_thread=False)
            try:
                self._prepare("FULL" if power_safe else "NORMAL")
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, synchronous: str) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(f"PRAGMA synchronous={synchronous}")
        with self._alone() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise HoldsError(where=self._path, problem=f"it is of a newer Underspend (version {version})")
            if version == 0:
                for statement in _SCHEMA.split(";\n"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={_VERSION}")

    def reserve(self, call: str, claims: Sequence[Claim], amount: Money, *, now: int, expires: int) -> Answer:
        """A hold in all accounts, or in none and the accounts without room."""
        with self._alone() as db:
            lost = tuple(dict.fromkeys(each.series for each in claims if not self._is_known(each.series)))
            if lost:
                raise HoldsLostError(where=str(self._path), series=lost)
            if db.execute("SELECT 1 FROM calls WHERE call = ?", (call,)).fetchone() is None:
                self._bury(claims, now)
                before = self._standings(claims, now)
                full = (each for claim, each in zip(claims, before, strict=True) if claim.enforced)
                refused = tuple(each for each in full if each.short(amount))
                if refused:
                    return Refused(amount, refused)
                db.execute("INSERT INTO calls VALUES (?, 1, ?, ?)", (call, expires, expires + KEEP))
                self._claim(call, claims, amount, expires)
            return Reserved(self._standings(claims, now))

    def renew(self, calls: Sequence[str], *, now: int, expires: int) -> tuple[str, ...]:
        """The holds that still stand, now until `expires` at least."""
        alive = []
        with self._alone() as db:
            for call in calls:
                found = db.execute(
                    "UPDATE calls SET expires = max(expires, ?), keep_until = max(expires, ?) + ? "
                    "WHERE call = ? AND is_open AND expires > ?",
                    (expires, expires, KEEP, call, now),
                )
                if found.rowcount:
                    db.execute("UPDATE claims SET expires = max(expires, ?) WHERE call = ?", (expires, call))
                    alive.append(call)
        return tuple(alive)

    def settle(self, call: str, amount: Money, *, now: int, claims: Sequence[Claim] = ()) -> bool:
        """Whether the amount was booked by this."""
        with self._alone() as db:
            if db.execute("SELECT 1 FROM calls WHERE call = ?", (call,)).fetchone() is None:
                if not claims:
                    return False
                db.execute("INSERT INTO calls VALUES (?, 1, ?, ?)", (call, now, now + KEEP))
                self._claim(call, claims, 0, now)
            booked = db.execute("SELECT account, bucket, forget FROM claims WHERE call = ?", (call,)).fetchall()
            if not self._end(call, now):
                return False
            for account, bucket, forget in booked:
                self._book(account, bucket, amount, forget)
            return True

    def release(self, call: str, *, now: int) -> bool:
        """Whether a hold ended by this."""
        with self._alone():
            return self._end(call, now)

    def expire(self, *, now: int) -> tuple[str, ...]:
        """Calls whose holds ran out; what is old is forgotten."""
        with self._alone() as db:
            old = "SELECT call FROM calls WHERE keep_until <= ?"
            db.execute(f"DELETE FROM claims WHERE call IN ({old})", (now,))  # noqa: S608  # our own two constants
            db.execute("DELETE FROM calls WHERE keep_until <= ?", (now,))
            db.execute("DELETE FROM spent WHERE forget <= ?", (now,))
            db.execute("DELETE FROM told WHERE until <= ?", (now,))
            db.execute("DELETE FROM overrides WHERE until <= ?", (now,))
            rows = db.execute("SELECT call FROM calls WHERE is_open AND expires <= ? ORDER BY call", (now,))
            return tuple(call for (call,) in rows)

    def standings(self, claims: Sequence[Claim], *, now: int) -> tuple[Standing, ...]:
        """The accounts as they stand."""
        with self._alone():
            return self._standings(claims, now)

    def accounts(self, series: str) -> tuple[str, ...]:
        """The accounts of a series, sorted."""
        wanted = "WHERE substr(account, 1, ?) = ?"
        held = f"SELECT account FROM claims {wanted} AND expires > 0"  # noqa: S608  # our own constant
        both = f"SELECT account FROM spent {wanted} UNION {held} ORDER BY 1"  # noqa: S608  # our own constant
        with self._alone() as db:
            return tuple(name for (name,) in db.execute(both, (len(series), series) * 2))

    def override(self, change: Override) -> None:
        """Keeps it until its time is over."""
        with self._alone() as db:
            db.execute("INSERT OR REPLACE INTO overrides VALUES (?, ?, ?)", (change.target, change.cap, change.until))

    def withdraw(self, target: str) -> bool:
        """Whether there was one."""
        with self._alone() as db:
            return db.execute("DELETE FROM overrides WHERE target = ?", (target,)).rowcount > 0

    def overrides(self, *, now: int) -> tuple[Override, ...]:
        """Those in force, by target."""
        with self._alone():
            return self._in_force(now)

    def lacking(self, series: Iterable[str]) -> tuple[str, ...]:
        """Those never restored."""
        with self._alone():
            return tuple(each for each in series if not self._is_known(each))

    def restore(self, series: str, bookings: Iterable[Booking], *, now: int) -> bool:  # noqa: ARG002  # the port's
        """Whether the bookings were added by this."""
        with self._alone() as db:
            if db.execute("INSERT OR IGNORE INTO series VALUES (?)", (series,)).rowcount == 0:
                return False
            for each in bookings:
                self._book(each.account, each.bucket, each.amount, each.forget)
            return True

    def tell(self, account: str, percent: int, *, now: int, until: int) -> bool:
        """Whether nobody was told yet."""
        with self._alone() as db:
            known = db.execute(
                "SELECT until FROM told WHERE account = ? AND percent = ?", (account, percent)
            ).fetchone()
            if known is not None and known[0] > now:
                return False
            db.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?)", (account, percent, until))
            return True

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[sqlite3.Connection]:
        """The connection, in a transaction that no other thread or process is in."""
        with self._lock, self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk may have ended it already
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise HoldsError(where=self._path, problem=str(error)) from error

    def _is_known(self, series: str) -> bool:
        return self._db.execute("SELECT 1 FROM series WHERE name = ?", (series,)).fetchone() is not None

    def _bury(self, claims: Sequence[Claim], now: int) -> None:
        """Mark holds that have run out, so that they stay so: another's clock may be behind the one that saw it."""
        dead = "SELECT call FROM claims WHERE account = ? AND expires > 0 AND expires <= ?"
        rows = [row for claim in claims for row in self._db.execute(dead, (claim.account, now))]
        self._db.executemany("UPDATE claims SET expires = 0 WHERE call = ?", rows)
        self._db.executemany("UPDATE calls SET expires = 0 WHERE call = ?", rows)

    def _claim(self, call: str, claims: Sequence[Claim], amount: Money, expires: int) -> None:
        self._db.executemany(
            "INSERT INTO claims VALUES (?, ?, ?, ?, ?, ?)",
            [(each.account, call, each.bucket, each.forget, amount, expires) for each in claims],
        )

    def _end(self, call: str, now: int) -> bool:
        ended = "UPDATE calls SET is_open = 0, keep_until = ? WHERE call = ? AND is_open"
        if self._db.execute(ended, (now + KEEP, call)).rowcount == 0:
            return False
        self._db.execute("DELETE FROM claims WHERE call = ?", (call,))
        return True

    def _book(self, account: str, bucket: int, amount: Money, forget: int) -> None:
        self._db.execute(
            "INSERT INTO spent VALUES (?, ?, ?, ?) ON CONFLICT (account, bucket) "
            "DO UPDATE SET amount = amount + excluded.amount, forget = max(forget, excluded.forget)",
            (account, bucket, amount, forget),
        )

    def _standings(self, claims: Sequence[Claim], now: int) -> tuple[Standing, ...]:
        changes = self._in_force(now)
        return tuple(self._standing(claim, cap_in_force(claim, changes), now) for claim in claims)

    def _standing(self, claim: Claim, cap: Money | None, now: int) -> Standing:
        counted = "coalesce(sum(amount), 0) FROM {} WHERE account = ? AND bucket >= ? AND bucket < ?"
        spent, held = self._db.execute(
            f"SELECT (SELECT {counted.format('spent')}), (SELECT {counted.format('claims')} AND expires > ?)",
            (*(claim.account, claim.since, claim.until) * 2, now),
        ).fetchone()
        return Standing(claim.budget, claim.account, cap, spent, held)

    def _in_force(self, now: int) -> tuple[Override, ...]:
        rows = self._db.execute("SELECT target, cap, until FROM overrides WHERE until > ? ORDER BY target", (now,))
        return tuple(Override(*row) for row in rows)

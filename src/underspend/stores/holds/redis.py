"""Holds of all replicas, in Redis or Valkey (6.2 or later). Needs the extra `underspend[redis]`.

Each method is one script (`redis.lua`), which the server runs alone. What the server loses it must lose whole: one that
evicts keys to make room is refused, and one that was emptied says so (HoldsLostError) before it lets a call through.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar

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
)
from underspend.core.money import Money

if TYPE_CHECKING:
    from redis import Redis

Argument = str | int
_SECONDS = 2.0


class RedisHolds:
    """`core.holds.Holds` on a server by URL (redis://, rediss://, unix://). Threads may share it.

    `prefix` tells several installations on one server apart. Waits up to two seconds for an answer. Raises HoldsError
    when the server cannot be reached, evicts keys, or the client library is not installed.
    """

    waits: ClassVar[bool] = True

    def __init__(self, url: str, *, prefix: str = "underspend:holds", seconds: float = _SECONDS) -> None:
        try:
            import redis
        except ImportError as error:
            problem = "the client library is not installed (pip install 'underspend[redis]')"
            raise HoldsError(where="Redis", problem=problem) from error
        self._errors = (redis.RedisError, OSError)
        self._prefix = f"{{{prefix}}}"
        try:
            self._client: Redis = redis.Redis.from_url(
                url, decode_responses=True, socket_timeout=seconds, socket_connect_timeout=seconds
            )
        except ValueError as error:
            raise HoldsError(where="Redis", problem=f"its URL is wrong ({error})") from error
        self._where = _place(self._client)
        script = resources.files("underspend.stores.holds").joinpath("redis.lua").read_text(encoding="utf-8")
        self._script = self._client.register_script(script)
        try:
            self._refuse_eviction()
        except BaseException:
            self._client.close()
            raise

    def _refuse_eviction(self) -> None:
        with self._explained():
            memory: Any = self._client.info("memory")
        if memory.get("maxmemory") and memory.get("maxmemory_policy") != "noeviction":
            problem = f"it evicts keys ({memory.get('maxmemory_policy')}); budgets need maxmemory-policy noeviction"
            raise HoldsError(where=self._where, problem=problem)

    def reserve(self, call: str, claims: Sequence[Claim], amount: Money, *, now: int, expires: int) -> Answer:
        """A hold in all accounts, or in none and the accounts without room."""
        answer = self._run("reserve", call, amount, now, expires, KEEP, *_flat(claims))
        if answer[0] == "lost":
            raise HoldsLostError(where=self._where, series=tuple(dict.fromkeys(answer[1])))
        if answer[0] == "refused":
            before = _standings(claims, answer[2])
            return Refused(amount, tuple(before[at - 1] for at in answer[1]))
        return Reserved(_standings(claims, answer[1]))

    def renew(self, calls: Sequence[str], *, now: int, expires: int) -> tuple[str, ...]:
        """The holds that still stand, now until `expires` at least."""
        return tuple(self._run("renew", now, expires, KEEP, len(calls), *calls))

    def settle(self, call: str, amount: Money, *, now: int, claims: Sequence[Claim] = ()) -> bool:
        """Whether the amount was booked by this."""
        return bool(self._run("settle", call, amount, now, KEEP, *_flat(claims)))

    def release(self, call: str, *, now: int) -> bool:  # noqa: ARG002  # the port's
        """Whether a hold ended by this."""
        return bool(self._run("release", call, KEEP))

    def expire(self, *, now: int) -> tuple[str, ...]:
        """Calls whose holds ran out; what is old is forgotten."""
        return tuple(sorted(self._run("expire", now, KEEP)))

    def standings(self, claims: Sequence[Claim], *, now: int) -> tuple[Standing, ...]:
        """The accounts as they stand."""
        return _standings(claims, self._run("standings", now, *_flat(claims)))

    def accounts(self, series: str) -> tuple[str, ...]:
        """The accounts of a series, sorted."""
        return tuple(sorted(self._run("accounts", series)))

    def override(self, change: Override) -> None:
        """Keeps it until its time is over."""
        cap = "" if change.cap is None else change.cap
        with self._explained():
            self._client.hset(f"{self._prefix}:overrides", change.target, f"{cap}:{change.until}")

    def withdraw(self, target: str) -> bool:
        """Whether there was one."""
        with self._explained():
            return bool(self._client.hdel(f"{self._prefix}:overrides", target))

    def overrides(self, *, now: int) -> tuple[Override, ...]:
        """Those in force, by target."""
        with self._explained():
            found: Any = self._client.hgetall(f"{self._prefix}:overrides")
        parted = ((target, *text.split(":")) for target, text in sorted(found.items()))
        known = (Override(target, int(cap) if cap else None, int(until)) for target, cap, until in parted)
        return tuple(each for each in known if each.until > now)

    def lacking(self, series: Iterable[str]) -> tuple[str, ...]:
        """Those never restored."""
        with self._explained():
            known: Any = self._client.smembers(f"{self._prefix}:series")
        return tuple(each for each in series if each not in known)

    def restore(self, series: str, bookings: Iterable[Booking], *, now: int) -> bool:
        """Whether the bookings were added by this."""
        rows = [(each.account, each.bucket, each.forget, each.amount) for each in bookings]
        return bool(self._run("restore", series, now, len(rows), *(value for row in rows for value in row)))

    def tell(self, account: str, percent: int, *, now: int, until: int) -> bool:
        """Whether nobody was told yet."""
        return bool(self._run("tell", account, percent, now, until))

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _run(self, method: str, *arguments: Argument) -> Any:
        with self._explained():
            return self._script(keys=[self._prefix], args=[method, *arguments])

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise HoldsError(where=self._where, problem=str(error) or type(error).__name__) from error


def _place(client: Redis) -> str:
    """Where the server is, without its password."""
    options = client.connection_pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}")


def _flat(claims: Sequence[Claim]) -> list[Argument]:
    flat: list[Argument] = [len(claims)]
    for each in claims:
        flat += (each.budget, each.series, each.account, each.cap, int(each.enforced))
        flat += (each.bucket, each.since, each.until, each.forget)
    return flat


def _standings(claims: Sequence[Claim], rows: Sequence[tuple[str, str, str]]) -> tuple[Standing, ...]:
    return tuple(
        Standing(claim.budget, claim.account, int(cap) if cap else None, int(spent), int(held))
        for claim, (cap, spent, held) in zip(claims, rows, strict=True)
    )

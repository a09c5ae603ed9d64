"""Rate limits as token buckets. Pure and exact: integers only, times are arguments in microseconds.

A bucket is filled at `most` units per `per` microseconds and holds `burst`. What it holds is counted in units times
`per`, so that a microsecond adds exactly `most` and nothing is ever rounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from underspend.core.call import Call

_BUCKETS = 20_000
_UNKNOWN = "?"
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`most` units per `per` microseconds, of which `burst` may come at once."""

    most: int
    per: int
    burst: int

    def __post_init__(self) -> None:
        """Refuse what cannot be meant. Raises ValueError."""
        if min(self.most, self.per, self.burst) < 1:
            raise ValueError("a rate has at least one unit, in at least a microsecond, and a burst of at least one")

    @property
    def full(self) -> int:
        """What a full bucket holds."""
        return self.burst * self.per


class Bucket(NamedTuple):
    """What a bucket held (units times `per`; below zero is a debt) at an instant."""

    held: int
    at: int


class Taken(NamedTuple):
    """The bucket afterwards, and for how many microseconds to wait; what has to wait has taken nothing."""

    bucket: Bucket
    wait: int


def take(bucket: Bucket | None, rate: Rate, at: int, units: int = 1) -> Taken:
    """Take some units from a bucket (None is a full one) at an instant.

    What is larger than the burst is let through when the bucket is full, and leaves it in debt: else it could never be.
    A clock that was set back fills nothing and takes nothing away.
    """
    held = rate.full if bucket is None else min(rate.full, bucket.held + max(0, at - bucket.at) * rate.most)
    asked = units * rate.per
    missing = min(asked, rate.full) - held
    if missing > 0:
        return Taken(Bucket(held, at), -(-missing // rate.most))
    return Taken(Bucket(held - asked, at), 0)


class Per(StrEnum):
    """What has a bucket for itself."""

    ALL = "all"
    KEY = "key"
    SESSION = "session"
    PROJECT = "project"


class Measure(StrEnum):
    """What is counted: calls, or tokens of their prompts (as estimated when they come)."""

    CALLS = "calls"
    TOKENS = "tokens"


class AtLimit(StrEnum):
    """What happens to a call over the limit: it is only said, or the client is told to wait."""

    WARN = "warn"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """A rate that each key, session or project has for itself, or all calls have together."""

    name: str
    rate: Rate
    of: Per = Per.SESSION
    measure: Measure = Measure.CALLS
    at_limit: AtLimit = AtLimit.WAIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A limit that a call is over, whose it is, and the microseconds after which the call would fit."""

    limit: RateLimit
    subject: str
    wait: int

    @property
    def seconds(self) -> int:
        """Whole seconds to wait, as `retry-after` says them: never too few."""
        return max(1, -(-self.wait // _SECOND))

    @property
    def words(self) -> str:
        """What it comes to, for people."""
        rate, limit = self.limit.rate, self.limit
        whose = "all calls" if limit.of is Per.ALL else f"{limit.of.value} {self.subject}"
        per = f"{rate.per // _SECOND:,} s" if rate.per >= _SECOND else f"{rate.per:,} µs"
        return (
            f"The rate limit {limit.name} ({rate.most:,} {limit.measure.value} per {per}, {rate.burst:,} at once) "
            f"is reached for {whose}; there is room again in {self.seconds:,} s."
        )


class RateLimits:
    """The buckets of one process. A call that is told to wait takes nothing from any of them.

    Those that wait for the same bucket are told to come one after another: all at once, each round would let in what
    fits and send the others away again, until some have given up. Of more than 20,000 buckets the one used longest ago
    is forgotten, which fills it.
    """

    def __init__(self, limits: Sequence[RateLimit]) -> None:
        self._limits = tuple(limits)
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()
        self._due: OrderedDict[tuple[str, str], int] = OrderedDict()

    def admit(self, call: Call, at: int) -> tuple[Over, ...]:
        """The limits the call is over, the longest wait first; empty where it goes through.

        Where one of them says `wait` the call has taken nothing, else it has taken what there was.
        """
        taken = [(limit, name, self._taken(limit, name, call, at)) for limit, name in self._of(call)]
        over = [Over(limit=limit, subject=name, wait=each.wait) for limit, name, each in taken if each.wait]
        if any(each.limit.at_limit is AtLimit.WAIT for each in over):
            over = [replace(each, wait=self._queued(each, call, at)) for each in over]
        else:
            for limit, name, each in taken:
                if not each.wait:
                    self._put(limit, name, each.bucket)
        return tuple(sorted(over, key=lambda each: (each.limit.at_limit is not AtLimit.WAIT, -each.wait)))

    def _taken(self, limit: RateLimit, name: str, call: Call, at: int) -> Taken:
        return take(self._buckets.get((limit.name, name)), limit.rate, at, _units(limit, call))

    def _queued(self, over: Over, call: Call, at: int) -> int:
        """For how long to wait behind those who wait already; never for longer than it takes to fill the bucket."""
        key, rate = (over.limit.name, over.subject), over.limit.rate
        comes = min(max(at + over.wait, self._due.get(key, 0)), at + over.wait + rate.full // rate.most)
        self._due[key] = comes + min(_units(over.limit, call) * rate.per, rate.full) // rate.most
        self._due.move_to_end(key)
        if len(self._due) > _BUCKETS:
            self._due.popitem(last=False)
        return comes - at

    def _put(self, limit: RateLimit, name: str, bucket: Bucket) -> None:
        self._buckets[limit.name, name] = bucket
        self._buckets.move_to_end((limit.name, name))
        if len(self._buckets) > _BUCKETS:
            self._buckets.popitem(last=False)

    def _of(self, call: Call) -> Iterator[tuple[RateLimit, str]]:
        """Each limit with whose bucket a call draws on. Who is unknown shares one: no limit can be slipped."""
        identity = call.identity
        names = {
            Per.ALL: "",
            Per.KEY: identity.key or _UNKNOWN,
            Per.SESSION: identity.session or f"{_UNKNOWN} {identity.key or _UNKNOWN}",
            Per.PROJECT: identity.project or _UNKNOWN,
        }
        for limit in self._limits:
            yield limit, names[limit.of]


def _units(limit: RateLimit, call: Call) -> int:
    return 1 if limit.measure is Measure.CALLS else max(1, call.prompt_tokens)

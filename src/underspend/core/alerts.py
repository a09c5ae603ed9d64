"""What a person is to be told about spending, and when it has been told often enough. Pure: times are arguments."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from underspend.core.evidence import Evidence
from underspend.core.money import Money, show
from underspend.core.rate_limits import Bucket, Over, Rate, take

MINUTE = 60_000_000
HOUR = 60 * MINUTE
_KEYS = 10_000
_WORDS = 600
_SUBJECT = 200
_MUCH, _ALL = 80, 100


class Severity(StrEnum):
    """How bad it is, from the mildest to the worst."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the mildest; `StrEnum` itself compares by letters."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Kind(StrEnum):
    """What an alert is about."""

    BUDGET = "budget"
    RATE_LIMIT = "rate_limit"
    LOOP = "loop"
    FAN_OUT = "fan_out"
    VELOCITY = "velocity"
    TREND = "trend"
    FORECAST = "forecast"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing to tell.

    `subject` is what it is about (a session, a project, a budget), `words` a plain sentence or two. Neither ever holds
    text of a prompt. `dollars` is the amount in question in pico-dollars and `evidence` how it is known. `at` is in
    microseconds since the epoch. Alerts with equal `key` say the same thing again; without one it is the kind and the
    subject. `again` counts those that were held back since the last that was told. `once_for` (µs) is for what is said
    of a long time, a week or a month: it is not told again before, whatever the quiet period.
    """

    kind: Kind
    subject: str
    severity: Severity
    words: str
    at: int
    dollars: Money | None = None
    evidence: Evidence | None = None
    key: str = ""
    again: int = 0
    once_for: int = 0

    def __post_init__(self) -> None:
        """Bound what is sent: lines become spaces, the rest of what is too long is left out."""
        object.__setattr__(self, "subject", _one_line(self.subject, _SUBJECT))
        object.__setattr__(self, "words", _one_line(self.words, _WORDS))
        object.__setattr__(self, "key", _short(self.key or f"{self.kind.value}|{self.subject}"))

    @property
    def id(self) -> str:
        """16 hexadecimal digits, equal for every delivery of this alert: receivers tell a repetition by it."""
        return _digest(f"{self.key}\0{self.severity.value}\0{self.at}")


def crossed(  # noqa: PLR0913  # what a budget knows of its threshold
    *,
    budget: str,
    account: str,
    whose: str,
    percent: int,
    spent: Money,
    cap: Money,
    at: int,
    evidence: Evidence = Evidence.BILLED,
) -> Alert:
    """A budget's threshold that was passed, as something to tell.

    `account` names what was counted, for telling each threshold once; `whose` says it to people ("project shop").
    From 80 % on it is a warning, from 100 % on critical.
    """
    severity = Severity.CRITICAL if percent >= _ALL else Severity.WARNING if percent >= _MUCH else Severity.INFO
    return Alert(
        kind=Kind.BUDGET,
        subject=f"budget {budget}, {whose}" if whose else f"budget {budget}",
        severity=severity,
        words=f"{show(spent)} of the {show(cap)} of budget {budget} are spent: {percent} % is passed.",
        at=at,
        dollars=spent,
        evidence=evidence,
        key=f"budget|{percent}|{account}",
    )


def limited(over: Over, at: int) -> Alert:
    """A rate limit that was reached, as something to tell. Whose it is has a quiet period of its own."""
    return Alert(
        kind=Kind.RATE_LIMIT,
        subject=f"{over.limit.name}, {over.limit.of.value} {over.subject}".rstrip(),
        severity=Severity.WARNING,
        words=over.words,
        at=at,
        key=f"rate_limit|{over.limit.name}|{over.subject}",
    )


class Tells(Protocol):
    """Whom alerts are given to."""

    def tell(self, alert: Alert) -> None:
        """Take an alert; returns at once and never raises."""
        ...


class Decision(StrEnum):
    """What becomes of an alert: it is told, or held back as said before, or as one too many this hour."""

    TELL = "tell"
    QUIET = "quiet"
    FLOOD = "flood"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """`period` is for how long (µs) the same is not told again; `most_per_hour` bounds what is told in all."""

    period: int = HOUR
    most_per_hour: int = 30

    def __post_init__(self) -> None:
        """Refuse what cannot be meant. Raises ValueError."""
        if self.period < 0 or self.most_per_hour < 1:
            raise ValueError("a quiet period is not below zero, and at least one alert an hour is told")


@dataclass(slots=True)
class _Said:
    """What was last told of a key: None where all of it was held back."""

    severity: Severity | None
    at: int
    held: int = 0


class Told:
    """What has been told: a state machine without a clock of its own.

    The same key is told again only when its quiet period is over, or at once when its severity rises. The hourly bound
    never holds back what is critical, nor what rises. Of more than 10,000 keys the one told longest ago is forgotten.
    """

    def __init__(self, quiet: Quiet) -> None:
        self._quiet = quiet
        self._said: OrderedDict[str, _Said] = OrderedDict()
        self._rate = Rate(most=quiet.most_per_hour, per=HOUR, burst=quiet.most_per_hour)
        self._hour: Bucket | None = None

    def decide(self, alert: Alert) -> tuple[Decision, Alert]:
        """What becomes of an alert, and the alert as it is told: with how many were held back before it."""
        said = self._said.get(alert.key) or _Said(None, alert.at)
        rises = said.severity is not None and alert.severity.rank > said.severity.rank
        # A clock that was set back would otherwise silence a key until it has caught up.
        said.at = min(said.at, alert.at)
        period = max(self._quiet.period, alert.once_for)
        if said.severity is not None and not rises and alert.at - said.at < period:
            said.held += 1
            return Decision.QUIET, alert
        if not self._has_room(alert.at) and not rises and alert.severity is not Severity.CRITICAL:
            said.held += 1
            self._put(alert.key, said)
            return Decision.FLOOD, alert
        self._put(alert.key, _Said(alert.severity, alert.at))
        return Decision.TELL, replace(alert, again=said.held)

    def remember(self, told: Iterable[Alert]) -> None:
        """Take in what was told before a restart, oldest first."""
        for alert in told:
            self._put(alert.key, _Said(alert.severity, alert.at))

    def _has_room(self, at: int) -> bool:
        taken = take(self._hour, self._rate, at)
        self._hour = taken.bucket
        return taken.wait == 0

    def _put(self, key: str, said: _Said) -> None:
        self._said[key] = said
        self._said.move_to_end(key)
        while len(self._said) > _KEYS:
            self._said.popitem(last=False)


def _one_line(text: str, most: int) -> str:
    """Text on one line, without control characters, cut where it is too long."""
    flat = "".join(char if char.isprintable() else " " for char in text).strip()
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def _short(key: str) -> str:
    """A key of bounded length that still differs where the whole of it does."""
    made = _one_line(key, _SUBJECT)
    return made if made == key else f"{made[: _SUBJECT - 17]}#{_digest(key)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

"""The interface of an advisor: one file that looks at a history and says what it found, in dollars."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from underspend.core.evidence import Evidence
from underspend.core.history import Answered, History
from underspend.core.money import Money
from underspend.core.reply import Bill
from underspend.core.usage import Lane


class Urgency(StrEnum):
    """What a finding asks of the reader: a setting to change, a habit to change, or nothing."""

    FIX_NOW = "fix now"
    HABIT = "habit"
    FYI = "fyi"


class Confidence(StrEnum):
    """How sure the dollars are: `high` follows from recorded tokens, `low` from a chain of estimates."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Dollars of one reply in one lane that a finding would save. Two findings can never claim the same dollar."""

    message_id: str
    lane: Lane
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found.

    `id` is stable across runs ("cache-busts/idle-gap"). `amount` is the dollars in the period before overlaps are
    taken out; `claims` say where they lie. `rows` are the evidence, each a flat mapping of printable values; `fix` is
    what to do, ready to be copied. A finding may have no dollars (0) and still be worth saying.
    """

    id: str
    urgency: Urgency
    title: str
    amount: Money
    confidence: Confidence
    evidence: Evidence
    why: str
    fix: str = ""
    claims: Sequence[Claim] = ()
    rows: Sequence[Mapping[str, str | int]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an advisor may know besides the history: all of it read before, nothing fetched while it thinks.

    `now` is in microseconds since the epoch. `bills` prices each reply by its message id. `settings` are the client's
    own settings files by path, `memory_files` the texts of CLAUDE.md files by path. `retention_days` is after how
    many days the client deletes its records, None when it never does. `worked_out` is what advisors remember of
    timelines, to share it: empty at first, and never carried over to other surroundings.
    """

    now: int
    bills: Mapping[str, Bill]
    rates: RateSource
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    memory_files: Mapping[str, str] = field(default_factory=dict)
    retention_days: int | None = 30
    worked_out: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)


class RateSource(ABC):
    """Prices per token, for what might have been."""

    __slots__ = ()

    @abstractmethod
    def rate(self, model: str, lane: Lane, at: int, prompt_tokens: int) -> Money | None:
        """Pico-dollars per token; None for a model without a known price."""

    @abstractmethod
    def ttl_micros(self, reply: Answered) -> int:
        """How long what this reply wrote or read stays in the provider's cache."""


class Advisor(ABC):
    """A pure function of a history. `name` is the first part of its findings' ids."""

    __slots__ = ()
    name: ClassVar[str]

    @abstractmethod
    def advise(self, history: History, around: Surroundings) -> Iterable[Finding]:
        """What was found, in no particular order."""

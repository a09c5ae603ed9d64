"""The interface of an advisor: one file that looks at a history and says what it found, in dollars."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar, Generic, NamedTuple, TypeAlias, TypeVar

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


Claimed: TypeAlias = tuple[str, Lane, Money]
"""A claim while it is one of many: message id, lane, dollars."""


class Seen(NamedTuple):
    """What an advisor saw in a part of a history.

    `facts` are of the advisor's own type. `claims` are dollars by a name of the advisor's choice, which findings then
    ask for: those that hold in any case under the finding's id, those of one of several cases under that case's.
    """

    facts: object
    claims: Mapping[str, Sequence[Claimed]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found.

    `id` is stable across runs ("cache-busts/idle-gap"). `amount` is the dollars in the period before overlaps are
    taken out; they lie where the claims of the names `claimed` lie, cut in proportion where those come to more.
    `claims` are these claims one by one, given by `Advisor.advise` alone. `rows` are the evidence, each a flat mapping
    of printable values; `fix` is what to do, ready to be copied. A finding may have no dollars (0) and still be worth
    saying.
    """

    id: str
    urgency: Urgency
    title: str
    amount: Money
    confidence: Confidence
    evidence: Evidence
    why: str
    fix: str = ""
    claimed: Sequence[str] = ()
    claims: Sequence[Claim] = ()
    rows: Sequence[Mapping[str, str | int]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an advisor may know besides the history: all of it read before, nothing fetched while it thinks.

    `now` is in microseconds since the epoch. `bills` prices each reply by its message id. `settings` are the client's
    own settings files by path, `memory_files` the texts of CLAUDE.md files, their imports and rules by path.
    `memory_readers` are the folders whose sessions read one at their start, None for all sessions; a file that is not
    in it is read at and under its folder. `memory_named_by` says of an imported file which one imports it.
    `retention_days` is after how many days the client deletes its records, None when it never does. `worked_out` is
    what advisors remember of timelines, to share it: empty at first, and never carried over to other surroundings.
    """

    now: int
    bills: Mapping[str, Bill]
    rates: RateSource
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    memory_files: Mapping[str, str] = field(default_factory=dict)
    memory_readers: Mapping[str, AbstractSet[str] | None] = field(default_factory=dict)
    memory_named_by: Mapping[str, str] = field(default_factory=dict)
    retention_days: int | None = 30
    worked_out: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)


class RateSource(ABC):
    """Prices per token, for what might have been."""

    __slots__ = ()

    @abstractmethod
    def rate(self, model: str, lane: Lane, at: int, prompt_tokens: int) -> Money | None:
        """Pico-dollars per token; None for a model without a known price."""

    def rates(self, model: str, at: int, prompt_tokens: int) -> Sequence[Money | None]:
        """The same for all lanes, in their order."""
        return tuple([self.rate(model, lane, at, prompt_tokens) for lane in Lane])

    @abstractmethod
    def ttl_micros(self, reply: Answered) -> int:
        """How long what this reply wrote or read stays in the provider's cache."""


Facts = TypeVar("Facts")


class Advisor(ABC, Generic[Facts]):
    """A pure function of a history, in two steps, so that what was seen of old sessions need not be looked at again.

    `look` sees a part of the history: sessions that share no reply with those outside of it. What it gives is kept and
    added up by `sum_up` with what was seen of the other parts, in any order. However a history is cut into parts, the
    same must come out. `name` is the first part of the findings' ids, `facts` the type (a msgspec.Struct) in which
    facts are kept.
    """

    __slots__ = ()
    name: ClassVar[str]
    facts: ClassVar[type]

    @abstractmethod
    def look(self, history: History, around: Surroundings) -> Seen | None:
        """What there is to see in a part of a history; None where it is nothing. `around.now` means nothing here."""

    @abstractmethod
    def sum_up(self, facts: Sequence[Facts], around: Surroundings) -> Iterable[Finding]:
        """What was found, in no particular order, from the facts of all parts; `around` has no bills here."""

    def advise(self, history: History, around: Surroundings) -> Iterable[Finding]:
        """What is found in a whole history, with the claims behind each finding."""
        seen = self.look(history, around)
        for finding in self.sum_up([] if seen is None else [seen.facts], around):  # type: ignore[list-item]  # its own
            named = [] if seen is None else [each for name in finding.claimed for each in seen.claims.get(name, ())]
            claims = [Claim(message_id=message, lane=lane, amount=amount) for message, lane, amount in named]
            yield replace(finding, claims=tuple(netted(claims, finding.amount)))


def netted(claims: Sequence[Claim], amount: Money) -> list[Claim]:
    """The claims, each reduced in proportion so that together they come to `amount` (at most what they are now)."""
    total = sum(claim.amount for claim in claims)
    if amount >= total:
        return list(claims)
    if amount <= 0:
        return []
    # In one order whatever the timelines' was, since who gets the odd pico-dollars depends on it.
    claims = sorted(claims, key=lambda claim: (claim.message_id, claim.lane))
    parts = [claim.amount * amount // total for claim in claims]
    rest = amount - sum(parts)
    made = []
    for claim, part in zip(claims, parts, strict=True):
        more = min(rest, claim.amount - part)
        rest -= more
        made.append(Claim(message_id=claim.message_id, lane=claim.lane, amount=part + more))
    return made

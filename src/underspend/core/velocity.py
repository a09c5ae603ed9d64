"""How fast money is spent, against the user's own past: stretches of ten minutes, compared by rank.

Spending has a long tail, so no mean, deviation or bell curve is used. A stretch is unusual when it costs several times
what 95 of 100 stretches did *and* hardly any stretch of the past cost as much. How sure that is follows from ranks
alone: if nothing had changed, a new stretch would be among the k dearest of n + 1 with a chance of k in n + 1 (the
conformal p-value; it assumes only that stretches could have come in any order).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from underspend.core.alerts import MINUTE, Kind
from underspend.core.evidence import Evidence
from underspend.core.money import PICO_PER_DOLLAR, Money, show
from underspend.core.verdict import Level, Verdict

DAY = 1440 * MINUTE
_USUAL = Fraction(95, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What counts as too fast.

    `stretch` and `keep` are microseconds. Only stretches in which something was spent count; below `least` of them
    nothing is said. `warn` and `pause` are multiples of what 95 of 100 stretches cost at most. `floor` is the amount
    (pico-dollars) below which no stretch is worth a word. Of `rare` stretches at most one, this one, may have cost as
    much; while fewer are known, none before it.
    """

    stretch: int = 10 * MINUTE
    keep: int = 28 * DAY
    least: int = 100
    warn: int = 3
    pause: int = 10
    floor: Money = 5 * PICO_PER_DOLLAR
    rare: int = 300

    def __post_init__(self) -> None:
        """Refuse what cannot be meant. Raises ValueError."""
        if self.stretch < 1 or self.keep < self.stretch or self.least < 1 or self.pause < self.warn or self.warn < 1:
            raise ValueError("a pace has stretches within what is kept, and pauses no earlier than it warns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A stretch among those of the past: what it cost, what 95 of 100 cost at most, how many of how many cost more."""

    spent: Money
    usual: Money
    as_much: int
    of: int

    @property
    def chance(self) -> Fraction:
        """At most this is the chance of so dear a stretch if nothing had changed."""
        return Fraction(self.as_much + 1, self.of + 1)


class Velocity:
    """The spending of one user, or of whatever is given here: each amount when it is known, in order of time."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._past: deque[tuple[int, Money]] = deque()
        self._sorted: list[Money] = []
        self._number: int | None = None
        self._spent: Money = 0
        self._evidence = Evidence.BILLED

    def remember(self, amount: Money, at: int) -> None:
        """Take in an amount of the past, oldest first, without a verdict."""
        self._go_to(at)
        self._spent += amount

    def spend(self, amount: Money, at: int, evidence: Evidence = Evidence.BILLED) -> Verdict | None:
        """Take in an amount; a verdict when the stretch it lies in is too dear by now."""
        self.remember(amount, at)
        self._evidence = self._evidence.weaker(evidence)
        standing = self.standing()
        if standing is None:
            return None
        pace = self._pace
        is_rare = standing.as_much + 1 <= max(1, (standing.of + 1) // pace.rare)
        if not is_rare or standing.spent < max(pace.floor, pace.warn * standing.usual):
            return None
        return Verdict(
            level=Level.PAUSE if standing.spent >= pace.pause * standing.usual else Level.WARN,
            kind=Kind.VELOCITY,
            words=self._words(standing),
            key="velocity",
            at=at,
            dollars=standing.spent,
            evidence=self._evidence,
        )

    def standing(self) -> Standing | None:
        """Where the present stretch stands; None while too little is known of the past."""
        if len(self._sorted) < self._pace.least:
            return None
        at = -(-len(self._sorted) * _USUAL.numerator // _USUAL.denominator) - 1
        as_much = len(self._sorted) - bisect_left(self._sorted, self._spent)
        return Standing(spent=self._spent, usual=self._sorted[at], as_much=as_much, of=len(self._sorted))

    def _go_to(self, at: int) -> None:
        """End the present stretch when time has left it. A clock that was set back stays in it."""
        number = at // self._pace.stretch
        if self._number is None:
            self._number = number
        if number <= self._number:
            return
        if self._spent > 0:
            self._past.append((self._number, self._spent))
            insort(self._sorted, self._spent)
        self._number, self._spent, self._evidence = number, 0, Evidence.BILLED
        while self._past and self._past[0][0] < number - self._pace.keep // self._pace.stretch:
            _, gone = self._past.popleft()
            del self._sorted[bisect_left(self._sorted, gone)]

    def _words(self, standing: Standing) -> str:
        minutes = self._pace.stretch // MINUTE
        rank = f"{standing.as_much:,} of the {standing.of:,} before" if standing.as_much else "none before"
        chance = f"{standing.chance.numerator:,} in {standing.chance.denominator:,}"
        return (
            f"{show(standing.spent)} within {minutes} minutes. 95 of 100 such stretches with spending of the last "
            f"{self._pace.keep // DAY} days cost at most {show(standing.usual)}; {rank} cost as much (if nothing had "
            f"changed, the chance of that would be {chance})."
        )

"""What the advisors found, put in order, with every dollar counted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from underspend.core.advisor import Claimed, Finding, Seen, Urgency
from underspend.core.money import Money, scale
from underspend.core.reply import Bill
from underspend.core.usage import PLACES, Lane

MONTH_DAYS = 30
WORK_DAYS = 22
"""Working days of a month: what a history of less than a week is scaled to, as it shows no rhythm of its own."""

_ENOUGH_DAYS = 7
_NO_BILL = Bill()
_ORDER = (Urgency.FIX_NOW, Urgency.HABIT, Urgency.FYI)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a period becomes a month: `active` days with replies out of `span` calendar days."""

    active: int
    span: int

    @property
    def month_days(self) -> int:
        """The active days that a month at this pace has, at least one."""
        if self.span < _ENOUGH_DAYS:
            return max(WORK_DAYS, self.active)
        return max(1, (MONTH_DAYS * self.active + self.span // 2) // self.span)

    def per_month(self, amount: Money) -> Money:
        """What an amount of the period comes to in a month."""
        if not self.active:
            return 0
        if self.span < _ENOUGH_DAYS:
            return scale(amount, self.month_days, self.active)
        return scale(amount, MONTH_DAYS, self.span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A finding with the dollars that are its own: what findings before it claimed is taken out."""

    finding: Finding
    in_period: Money
    per_month: Money

    @property
    def overlap(self) -> Money:
        """What it found that findings before it had claimed."""
        return max(0, self.finding.amount - self.in_period)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An advisor that failed, and how. Its findings are missing; everything else stands."""

    advisor: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Findings in the order to act on, what they come to together, and what could not be looked at."""

    ranked: tuple[Ranked, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def in_period(self) -> Money:
        """All findings together; never more than was spent."""
        return sum(each.in_period for each in self.ranked)

    @property
    def per_month(self) -> Money:
        """All findings together, per month."""
        return sum(each.per_month for each in self.ranked)


class Claims(msgspec.Struct, array_like=True, gc=False):
    """The claims on a part of the replies, by their names.

    `free` are the sums of those that no other claim can touch: their places cost as much as all claims on them.
    `contested` are the places where it matters who comes first: what each cost, and the claims on it. `outside` are
    the sums of claims on replies that were not chosen.
    """

    free: dict[str, Money] = msgspec.field(default_factory=dict)
    contested: list[tuple[Money, list[tuple[str, Money]]]] = msgspec.field(default_factory=list)
    outside: dict[str, Money] = msgspec.field(default_factory=dict)


def claimed(seen: Iterable[Seen], bills: Mapping[str, Bill], *, only: Callable[[str], bool] | None = None) -> Claims:
    """The claims of all advisors on a part of the replies.

    `only` tells by message id which replies count (a chosen model, a chosen time); None counts all.
    """
    named = [(name, claims) for each in seen for name, claims in each.claims.items()]
    outside: dict[str, Money] = {}
    if only is not None:
        outside = {name: sum([amount for message, _, amount in claims if not only(message)]) for name, claims in named}
        named = [(name, [claim for claim in claims if only(claim[0])]) for name, claims in named]
    contested: dict[Place, list[tuple[str, Money]]] = {}
    for place, most in _most(named).items():
        if most > bills.get(place[0], _NO_BILL).by_lane[PLACES[place[1]]]:
            contested[place] = []
    free: dict[str, Money] = {}
    for name, claims in named:
        # Few places are contested: most claims are only added up.
        touched = [claim for claim in claims if (claim[0], claim[1]) in contested] if contested else ()
        left = sum([amount for _, _, amount in claims])
        for message, lane, amount in touched:
            contested[message, lane].append((name, amount))
            left -= amount
        if len(claims) > len(touched):
            free[name] = free.get(name, 0) + left
    return Claims(
        free,
        [(bills.get(message, _NO_BILL).lane(lane), found) for (message, lane), found in contested.items()],
        {name: amount for name, amount in outside.items() if amount},
    )


Place = tuple[str, Lane]
"""A lane of a reply, by its message id: where dollars lie."""


def _most(named: Iterable[tuple[str, Sequence[Claimed]]]) -> dict[Place, Money]:
    """What the claims on each place can come to: of several cases ("name@case") only one is ever asked for."""
    most: dict[Place, Money] = {}
    cases: dict[str, dict[Place, Money]] = {}
    for name, claims in named:
        whole, is_case, _ = name.partition("@")
        sums: dict[Place, Money] = {} if is_case else most
        for message, lane, amount in claims:
            place = (message, lane)
            sums[place] = sums.get(place, 0) + amount
        if is_case:
            known = cases.setdefault(whole, sums)
            if known is not sums:
                for place, amount in sums.items():
                    if known.setdefault(place, amount) < amount:
                        known[place] = amount
    for sums in cases.values():
        for place, amount in sums.items():
            most[place] = most.get(place, 0) + amount
    return most


def rank(found: Iterable[Finding], parts: Sequence[Claims], spent: Money, pace: Pace) -> tuple[Ranked, ...]:
    """Findings by urgency, then by their own dollars.

    Claims are settled by urgency and then by size: what a lane of a reply cost goes to the first that claims it. What
    a finding says beyond its claims counts only as far as dollars are left that nobody claimed; `spent` are all.
    """
    sums = _Sums(parts)
    kept = [one for each in found if (one := sums.restricted(each)) is not None]
    queue = sorted(kept, key=lambda each: (_ORDER.index(each.urgency), -each.amount, each.id))
    own = sums.granted(queue)
    unclaimed = spent - sum(own)
    for index, each in enumerate(queue):
        loose = max(0, min(each.amount - sums.of(each), unclaimed))
        own[index] += loose
        unclaimed -= loose
    ranked = [
        Ranked(finding=each, in_period=amount, per_month=pace.per_month(amount))
        for each, amount in zip(queue, own, strict=True)
    ]
    return tuple(
        sorted(ranked, key=lambda each: (_ORDER.index(each.finding.urgency), -each.in_period, each.finding.id))
    )


class _Sums:
    """What the claims of all parts come to by name."""

    def __init__(self, parts: Sequence[Claims]) -> None:
        self._free: Counter[str] = Counter()
        self._outside: Counter[str] = Counter()
        self._contested = [place for part in parts for place in part.contested]
        for part in parts:
            for name, amount in part.free.items():
                self._free[name] += amount
            for name, amount in part.outside.items():
                self._outside[name] += amount
        self._kept = Counter(self._free)
        for _, claims in self._contested:
            for name, amount in claims:
                self._kept[name] += amount

    def of(self, finding: Finding) -> Money:
        """The claims of a finding, all together."""
        return sum(self._kept[name] for name in finding.claimed)

    def restricted(self, finding: Finding) -> Finding | None:
        """A finding's part in the chosen replies; one without claims is kept whole, as it is about no reply."""
        outside = sum(self._outside[name] for name in finding.claimed)
        if not outside:
            return finding
        kept = self.of(finding)
        if not kept:
            return None
        most = kept if finding.amount >= kept + outside else finding.amount * kept // (kept + outside)
        return replace(finding, amount=min(finding.amount, most))

    def granted(self, queue: Sequence[Finding]) -> list[Money]:
        """What each finding gets of its claims, where those before it in the queue come first."""
        own = [0] * len(queue)
        asks: dict[str, tuple[int, Money, Money]] = {}
        for index, finding in enumerate(queue):
            whole = self.of(finding)
            own[index] = min(finding.amount, whole)
            asks.update((name, (index, own[index], whole)) for name in finding.claimed)
        for cost, claims in self._contested:
            left = cost
            for index, amount in sorted(self._asked(claims, asks)):
                granted = min(amount, left)
                left -= granted
                own[index] -= amount - granted
        return own

    @staticmethod
    def _asked(
        claims: Iterable[tuple[str, Money]], asks: Mapping[str, tuple[int, Money, Money]]
    ) -> Iterator[tuple[int, Money]]:
        """The claims on one place that findings ask for, cut in proportion as the finding is, by its index."""
        for name, amount in claims:
            if name in asks:
                index, part, whole = asks[name]
                yield index, amount if part == whole else amount * part // whole

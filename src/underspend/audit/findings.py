"""What the advisors found, put in order, with every dollar counted once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from underspend.core.advisor import Advisor, Claim, Finding, Surroundings, Urgency
from underspend.core.history import History
from underspend.core.money import Money, scale
from underspend.core.reply import Bill
from underspend.core.usage import Lane

MONTH_DAYS = 30
WORK_DAYS = 22
"""Working days of a month: what a history of less than a week is scaled to, as it shows no rhythm of its own."""

_ENOUGH_DAYS = 7
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


def look(
    history: History,
    around: Surroundings,
    advisors: Iterable[type[Advisor]],
    *,
    pace: Pace,
    only: Callable[[str], bool] | None = None,
) -> Found:
    """Every advisor's findings, ranked. One that raises is named in `faults` and skipped.

    `only` tells by message id which replies count (a chosen model, a chosen time); None counts all.
    """
    answers = [heard(advisor, history, around) for advisor in advisors]
    return settled(answers, around.bills, pace=pace, only=only)


def heard(advisor: type[Advisor], history: History, around: Surroundings) -> list[Finding] | Fault:
    """What one advisor found, or how it failed."""
    try:
        return list(advisor().advise(history, around))
    except Exception as error:  # noqa: BLE001  # a fault in one advisor must not cost the user the report
        return Fault(advisor=advisor.name, problem=f"{type(error).__name__}: {error}")


def settled(
    answers: Iterable[list[Finding] | Fault],
    bills: Mapping[str, Bill],
    *,
    pace: Pace,
    only: Callable[[str], bool] | None = None,
) -> Found:
    """What all advisors found, ranked, as `look` gives it."""
    found: list[Finding] = []
    faults: list[Fault] = []
    for answer in answers:
        if isinstance(answer, Fault):
            faults.append(answer)
        else:
            found += answer
    if only is not None:
        found = [kept for each in found if (kept := _restricted(each, only)) is not None]
    return Found(ranked=rank(found, bills, pace), faults=tuple(faults))


def rank(found: Sequence[Finding], bills: Mapping[str, Bill], pace: Pace) -> tuple[Ranked, ...]:
    """Findings by urgency, then by their own dollars.

    Claims are settled by urgency and then by size: what a lane of a reply cost goes to the first that claims it. What
    a finding says beyond its claims counts only as far as dollars are left that nobody claimed.
    """
    queue = sorted(found, key=lambda each: (_ORDER.index(each.urgency), -each.amount, each.id))
    left: dict[tuple[str, Lane], Money] = {}
    own = [_settled(each.claims, bills, left) for each in queue]
    unclaimed = sum(bill.total for bill in bills.values()) - sum(own)
    for index, each in enumerate(queue):
        loose = max(0, min(each.amount - sum(claim.amount for claim in each.claims), unclaimed))
        own[index] += loose
        unclaimed -= loose
    ranked = [
        Ranked(finding=each, in_period=amount, per_month=pace.per_month(amount))
        for each, amount in zip(queue, own, strict=True)
    ]
    return tuple(
        sorted(ranked, key=lambda each: (_ORDER.index(each.finding.urgency), -each.in_period, each.finding.id))
    )


def _settled(claims: Sequence[Claim], bills: Mapping[str, Bill], left: dict[tuple[str, Lane], Money]) -> Money:
    total = 0
    for claim in claims:
        place = (claim.message_id, claim.lane)
        if place not in left:
            bill = bills.get(claim.message_id)
            left[place] = bill.lane(claim.lane) if bill else 0
        granted = max(0, min(claim.amount, left[place]))
        left[place] -= granted
        total += granted
    return total


def _restricted(finding: Finding, only: Callable[[str], bool]) -> Finding | None:
    """A finding's part in the chosen replies; one without dollars is kept whole, as it is about no reply."""
    if not finding.claims:
        return finding
    claims = tuple(claim for claim in finding.claims if only(claim.message_id))
    if not claims:
        return None
    return replace(finding, claims=claims, amount=min(finding.amount, sum(claim.amount for claim in claims)))

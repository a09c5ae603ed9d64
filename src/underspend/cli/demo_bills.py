"""What the demo proves: the fake provider's two bills of the same sessions, without us and with us."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from underspend.core import money
from underspend.core.money import Money
from underspend.core.strategy import State
from underspend.reports import figures

if TYPE_CHECKING:
    from rich.table import Table

    from underspend.core.engine import Step
    from underspend.testing.demo import Session
    from underspend.testing.fake_upstream import FakeUpstream

_HEADINGS = (("session", "l"), ("calls", "r"), ("without us", "r"), ("with us", "r"), ("saved", "r"), ("", "r"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One session's two bills."""

    session: str
    calls: int
    without: Money
    paid: Money

    @property
    def saved(self) -> Money:
        """What the provider billed less; negative where it billed more."""
        return self.without - self.paid


@dataclass(frozen=True, slots=True, kw_only=True)
class Bills:
    """The provider's bills, what `underspend savings` says was saved, and the strategies that were on."""

    pairs: Sequence[Pair]
    said: Money
    on: Sequence[str]

    @property
    def total(self) -> Pair:
        """All sessions."""
        without, paid = sum(each.without for each in self.pairs), sum(each.paid for each in self.pairs)
        return Pair(session="all", calls=sum(each.calls for each in self.pairs), without=without, paid=paid)


def paired(sessions: Iterable[Session], without: FakeUpstream, paid: FakeUpstream) -> list[Pair]:
    """The bills of two providers, of which one was asked directly and one through the gateway."""
    alone, ours = without.bill_by_session(), paid.bill_by_session()
    return [
        Pair(
            session=f"{each.project} {each.id[:8]}",
            calls=each.calls,
            without=alone[each.id].picodollars,
            paid=ours[each.id].picodollars,
        )
        for each in sessions
    ]


def acting(steps: Iterable[Step]) -> list[str]:
    """The strategies that are on and may change a call."""
    return [step.strategy.name for step in steps if step.state is State.ON and step.strategy.edits]


def shown(bills: Bills) -> Table:
    """The bills for a terminal."""
    from underspend.cli.output import table

    return table(_HEADINGS, [_cells(each) for each in bills.pairs], footer=_cells(bills.total))


def agreement(bills: Bills) -> str:
    """What was on, and how near `underspend savings` is to the difference of the two bills."""
    names = ", ".join(bills.on) or "nothing"
    return f"On: {names}. `underspend savings` says {figures.saved(bills.said)}{_distance(bills)}."


def markdown(bills: Bills) -> str:
    """The bills and what was on, for a page."""
    heads = "| " + " | ".join(heading for heading, _ in _HEADINGS) + " |"
    sides = "|" + "|".join(" ---: " if side == "r" else " --- " for _, side in _HEADINGS) + "|"
    rows = ["| " + " | ".join(_cells(each)) + " |" for each in bills.pairs]
    total = "| " + " | ".join(f"**{cell}**" for cell in _cells(bills.total)) + " |"
    return "\n".join([heads, sides, *rows, total, "", agreement(bills)])


def _cells(pair: Pair) -> list[str]:
    share = f"{100 * pair.saved / pair.without:.1f} %" if pair.without else "–"
    return [
        pair.session,
        f"{pair.calls:,}",
        money.show(pair.without),
        money.show(pair.paid),
        figures.saved(pair.saved),
        share.replace("-", "−"),
    ]


def _distance(bills: Bills) -> str:
    saved = bills.total.saved
    if not saved:
        return ""
    return f", {100 * abs(bills.said - saved) / abs(saved):.2f} % from the difference of the two bills"

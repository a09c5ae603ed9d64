"""How budgets stand: what is spent, held and left in each account, when it ends, and what was changed for a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from underspend.core.budget_words import described, moment
from underspend.core.budgets import Budget, Scope, bookings, claims_on, needed_since
from underspend.core.holds import Holds, Override
from underspend.core.money import Money
from underspend.core.windows import Kind, period
from underspend.pricing.catalogue import Catalogue
from underspend.reports.shapes import Shape, time_of, usd
from underspend.stores.holds.memory import MemoryHolds
from underspend.stores.past_calls import past_calls

_PERCENT = 100
_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One account of a budget; amounts in pico-dollars, times in µs since the epoch.

    `cap` is the one in force, None while the budget is paused. `ends` is when a calendar window gives way to the next.
    `change` is the raise or pause in force, on the budget or on this account.
    """

    budget: Budget
    account: str
    whose: str
    cap: Money | None
    spent: Money
    held: Money
    ends: int | None
    change: Override | None

    @property
    def left(self) -> Money | None:
        """What may still be spent; None while there is no cap."""
        return None if self.cap is None else max(0, self.cap - self.spent - self.held)

    @property
    def share(self) -> int | None:
        """What is spent in hundredths of the cap; None where there is none."""
        return None if not self.cap else self.spent * _PERCENT // self.cap


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger that sums come from which the store does not have yet, and what prices calls without a price."""

    engine: Engine
    catalogue: Catalogue
    subscription: bool = False


def budget_rows(
    budgets: Sequence[Budget], holds: Holds, now: int, *, ledger: Ledger | None = None, most: int = 50
) -> list[Row]:
    """Every account of every budget, the fullest of each budget first, `most` of each; one row where there is none.

    Raises HoldsError where the store cannot be asked.
    """
    changes = {each.target: each for each in holds.overrides(now=now)}
    lacking = set(holds.lacking([budget.series for budget in budgets]))
    found = list[Row]()
    for budget in budgets:
        store = holds
        if ledger is not None and budget.series in lacking and budget.window.kind is not Kind.REQUEST:
            store = _from_ledger(budget, changes.values(), ledger, now)
        rows = _rows(budget, store, changes, now)
        found += sorted(rows, key=lambda row: (-(row.spent + row.held), row.account))[:most]
    return found


def _from_ledger(budget: Budget, changes: Iterable[Override], ledger: Ledger, now: int) -> Holds:
    """A store with what a gateway would restore at its start."""

    def unpriced(provider: str, prompt: int, output: int) -> Money:
        rates = ledger.catalogue.dearest(now, provider=provider)
        return prompt * rates.dearest_prompt + output * (rates.output or 0)

    past = past_calls(ledger.engine, needed_since([budget], now), unpriced, subscription=ledger.subscription)
    made = MemoryHolds()
    made.restore(budget.series, () if budget.scope is Scope.TAG else bookings(budget, past), now=now)
    for each in changes:
        made.override(each)
    return made


def _rows(budget: Budget, holds: Holds, changes: dict[str, Override], now: int) -> list[Row]:
    asked = claims_on(budget, holds.accounts(budget.series), now)
    ends = period(budget.window, now, budget.zone).ends
    made = [
        Row(
            budget=budget,
            account=standing.account,
            whose=_whose(budget, standing.account),
            cap=standing.cap,
            spent=standing.spent,
            held=standing.held,
            ends=ends,
            change=changes.get(standing.account) or changes.get(budget.name),
        )
        for at in range(0, len(asked), _AT_ONCE)  # between parts of many accounts calls get their turn
        for standing in holds.standings(asked[at : at + _AT_ONCE], now=now)
        if standing.spent or standing.held
    ]
    return made or [_unused(budget, changes.get(budget.name), ends)]


def _unused(budget: Budget, change: Override | None, ends: int | None) -> Row:
    cap = budget.cap if change is None else None if change.cap is None else max(budget.cap, change.cap)
    return Row(budget=budget, account="", whose="", cap=cap, spent=0, held=0, ends=ends, change=change)


def _whose(budget: Budget, account: str) -> str:
    """Whose account it is, in words: "project web", "session 1f2e"."""
    parts = [
        part.replace("%7C", "|").replace("%25", "%")
        for part in account.removeprefix(budget.series).split("|")
        if account.startswith(budget.series)
    ]
    said = [] if budget.scope is Scope.ALL or not parts else [f"{budget.scope.value} {parts[0]}"]
    if budget.window.kind in {Kind.SESSION, Kind.FAN_OUT} and len(parts) > 1:
        said.append(f"session {parts[1]}" if parts[1] != "?" else "calls without a session")
    return ", ".join(said)


def standing_in_words(row: Row) -> str:
    """What was changed for a time: "raised to … until …", "paused until …"; empty where nothing was."""
    if row.change is None:
        return ""
    until = f"until {moment(row.change.until, row.budget.zone)}"
    return f"paused {until}" if row.change.cap is None else f"raised {until}"


def ends_in_words(row: Row) -> str:
    """When the account begins again."""
    if row.ends is not None:
        return moment(row.ends, row.budget.zone)
    return "rolling" if row.budget.window.kind is Kind.ROLLING else f"with the {row.budget.window.kind.value}"


def budgets_shape(rows: Iterable[Row]) -> Shape:
    """As JSON."""
    return {"budgets": [_shape(row) for row in rows]}


def _shape(row: Row) -> Shape:
    return {
        "budget": row.budget.name,
        "what": described(row.budget),
        "account": row.account or None,
        "whose": row.whose or None,
        "window": str(row.budget.window),
        "action": row.budget.action.value,
        "usd": usd(row.budget.cap),
        "cap": None if row.cap is None else usd(row.cap),
        "spent": usd(row.spent),
        "held": usd(row.held),
        "left": None if row.left is None else usd(row.left),
        "percent": row.share,
        "ends_at": time_of(row.ends),
        "paused": row.change is not None and row.change.cap is None,
        "raised": row.change is not None and row.change.cap is not None,
        "changed_until": None if row.change is None else time_of(row.change.until),
    }

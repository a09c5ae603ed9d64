"""What was saved, in three ways that are never mixed: billed, simulated, and measured against sessions left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Any

from sqlalchemy import Connection, Engine, case, func, select

from underspend.core.edits import SetModel
from underspend.core.money import Money
from underspend.reports.filters import SOURCE, Filter
from underspend.reports.shapes import usd
from underspend.reports.spend import total
from underspend.reports.sums import Sums
from underspend.stores.schema import calls, decisions, effects
from underspend.strategies.auto_model import AutoModel

_NORMAL_95 = 1.96
_FEWEST = 5
"""Sessions that each side must have before an interval is worth showing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What one strategy saved by simulation: its world against the one before it; negative where it cost.

    `edits` counts what it did to calls, what it did again for an earlier call's sake left out.
    """

    strategy: str
    amount: Money
    edits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What the router would have done while it only observes: how often, and what it expected that to save.

    The amount is from each session's or agent's beginning to its expected end, the cache it must write included.
    """

    times: int = 0
    amount: Money = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Sessions that strategies acted on, or those left alone: their bill and their turns."""

    sessions: int = 0
    turns: int = 0
    paid: Money = 0

    @property
    def per_turn(self) -> Money:
        """Pico-dollars per turn."""
        return self.paid // self.turns if self.turns else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """Sessions acted on against sessions left alone.

    `saved_per_turn` lies between `low` and `high` in 95 of 100 cases like this one; None while there are too few
    sessions to say. It is the dollars per turn of the sessions left alone, less those of the others.
    """

    acted: Side
    left_alone: Side
    low: Money | None = None
    high: Money | None = None

    @property
    def saved_per_turn(self) -> Money:
        """Pico-dollars per turn; negative where acting was dearer."""
        return self.left_alone.per_turn - self.acted.per_turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """The three ways side by side.

    `billed` are the calls as the provider charged them, with the simulated `without_us`; `strategies` the largest
    amount first; `holdout` is None where no session was left alone. `noted` is of what was not done.
    """

    billed: Sums
    strategies: Sequence[Saved]
    holdout: Holdout | None
    noted: Noted = field(default_factory=Noted)


def savings(engine: Engine, where: Filter | None = None) -> Savings:
    """What was saved on the calls that pass the filter."""
    where = where or Filter()
    with engine.connect() as connection:
        by_strategy = _by_strategy(connection, where)
        holdout = _holdout(connection, where)
        noted = _noted(connection, where)
    return Savings(billed=total(engine, where), strategies=by_strategy, holdout=holdout, noted=noted)


def _by_strategy(connection: Connection, where: Filter) -> list[Saved]:
    source = SOURCE.join(effects, effects.c.call_id == calls.c.id)
    amount = func.sum(effects.c.saved_pico).label("amount")
    query = select(effects.c.strategy, amount).select_from(source).where(*where.conditions())
    amounts = {row.strategy: int(row.amount) for row in connection.execute(query.group_by(effects.c.strategy))}
    source = SOURCE.join(decisions, decisions.c.call_id == calls.c.id)
    counted = select(decisions.c.strategy, func.count().label("edits")).select_from(source)
    counted = counted.where(*where.conditions(), decisions.c.applied.is_(True)).group_by(decisions.c.strategy)
    edits = {row.strategy: int(row.edits) for row in connection.execute(counted)}
    made = [Saved(strategy=name, amount=amount, edits=edits.get(name, 0)) for name, amount in amounts.items()]
    return sorted(made, key=lambda each: (-each.amount, each.strategy))


def _noted(connection: Connection, where: Filter) -> Noted:
    source = SOURCE.join(decisions, decisions.c.call_id == calls.c.id)
    amount = func.sum(decisions.c.before_pico - decisions.c.after_pico)
    query = select(func.count(), amount).select_from(source)
    router = (decisions.c.strategy == AutoModel.name, decisions.c.edit == SetModel.__name__)
    row = connection.execute(query.where(*where.conditions(), *router, decisions.c.applied.is_(False))).one()
    return Noted(times=int(row[0]), amount=int(row[1] or 0))


def _holdout(connection: Connection, where: Filter) -> Holdout | None:
    held_out = func.max(case((calls.c.held_out.is_(True), 1), else_=0)).label("held_out")
    # A call that names no turn counts as one.
    turns = func.count(func.distinct(func.coalesce(calls.c.turn, calls.c.id))).label("turns")
    query = (
        select(calls.c.session, held_out, turns, func.sum(calls.c.cost_pico).label("paid"))
        .select_from(SOURCE)
        .where(*where.conditions(), calls.c.session.is_not(None), calls.c.endpoint == "messages")
        .group_by(calls.c.session)
    )
    rows: list[list[tuple[int, int]]] = [[], []]
    for row in connection.execute(query):
        rows[int(row.held_out)].append((int(row.paid), int(row.turns)))
    acted, alone = rows
    if not alone:
        return None
    plain = Holdout(acted=_side(acted), left_alone=_side(alone))
    if min(len(acted), len(alone)) < _FEWEST:
        return plain
    margin = int(_NORMAL_95 * sqrt(_variance(acted) + _variance(alone)))
    return replace(plain, low=plain.saved_per_turn - margin, high=plain.saved_per_turn + margin)


def _side(rows: Sequence[tuple[int, int]]) -> Side:
    return Side(sessions=len(rows), turns=sum(turns for _, turns in rows), paid=sum(paid for paid, _ in rows))


def _variance(rows: Sequence[tuple[int, int]]) -> float:
    """The variance of dollars per turn as a ratio of sums, sessions being what was drawn (Cochran 1977, §2.11)."""
    turns = sum(count for _, count in rows)
    ratio = sum(paid for paid, _ in rows) / turns
    return sum((paid - ratio * count) ** 2 for paid, count in rows) * len(rows) / (len(rows) - 1) / turns**2


def savings_shape(made: Savings) -> dict[str, Any]:
    """The JSON of a report: dollars as strings, exact."""
    held = made.holdout
    return {
        "billed": {"calls": made.billed.calls, "paid_usd": usd(made.billed.paid)},
        "simulated": {
            "without_us_usd": usd(made.billed.without_us),
            "saved_usd": usd(made.billed.saved),
            "by_strategy": [
                {"strategy": each.strategy, "saved_usd": usd(each.amount), "edits": each.edits}
                for each in made.strategies
            ],
        },
        "noted": {"times": made.noted.times, "expected_usd": usd(made.noted.amount)},
        "holdout": None
        if held is None
        else {
            "acted": _side_shape(held.acted),
            "left_alone": _side_shape(held.left_alone),
            "saved_per_turn_usd": usd(held.saved_per_turn),
            "interval_95_usd": None if held.low is None or held.high is None else [usd(held.low), usd(held.high)],
        },
    }


def _side_shape(side: Side) -> dict[str, Any]:
    return {
        "sessions": side.sessions,
        "turns": side.turns,
        "paid_usd": usd(side.paid),
        "paid_per_turn_usd": usd(side.per_turn),
    }

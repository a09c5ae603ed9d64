"""What many calls add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, case, func, not_, or_

from underspend.core.call import BillingMode
from underspend.core.evidence import Evidence
from underspend.core.money import Money
from underspend.core.reply import Outcome
from underspend.core.usage import Lane, Usage
from underspend.reports.lanes import EXTRA
from underspend.stores.schema import LANE_COSTS, LANE_TOKENS, calls

COST_LANES = (*(lane.value for lane in Lane), EXTRA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Calls, their tokens by lane and their dollars (integer pico-dollars).

    `lanes` gives the dollars by lane and of `extra`; `evidence` the dollars by how they are known; `plan` is the part
    of `paid` made with a subscription: what it would cost at API prices, not an invoice. `unpriced` counts calls of
    which some part has no known price, so that `paid` is too low by it; `estimated` those known only by estimate.
    `answered` counts calls that got a kept reply, at no cost; they would have cost `spared` at the least.
    """

    calls: int = 0
    tokens: Usage = field(default_factory=Usage)
    thinking: int = 0
    web_searches: int = 0
    paid: Money = 0
    without_us: Money = 0
    plan: Money = 0
    plan_calls: int = 0
    unpriced: int = 0
    estimated: int = 0
    failed: int = 0
    answered: int = 0
    spared: Money = 0
    lanes: Mapping[str, Money] = field(default_factory=dict)
    evidence: Mapping[str, Money] = field(default_factory=dict)

    @property
    def saved(self) -> Money:
        """What the calls would have cost without us, less what they did cost; negative when we cost more."""
        return self.without_us - self.paid

    @property
    def hit_share(self) -> float | None:
        """The part of all prompt tokens that was read from the provider's cache, 0 to 1; None without prompts."""
        return self.tokens.cache_read / self.tokens.prompt if self.tokens.prompt else None

    def __add__(self, other: Sums) -> Sums:
        both: dict[str, Any] = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        joined: dict[str, Any] = {
            name: _joined(mine, theirs) if isinstance(mine, Mapping) else mine + theirs
            for name, (mine, theirs) in both.items()
        }
        return Sums(**joined)


def _joined(mine: Mapping[str, Money], theirs: Mapping[str, Money]) -> dict[str, Money]:
    return {name: mine.get(name, 0) + theirs.get(name, 0) for name in {**mine, **theirs}}


def total(many: Iterable[Sums]) -> Sums:
    """All of them together."""
    return sum(many, Sums())


def columns() -> list[ColumnElement[Any]]:
    """What a select of `calls` must ask for to be read by `read`."""
    c = calls.c
    unpriced = and_(c.unpriced.is_not(None), c.unpriced != "")
    on_plan = c.billing == BillingMode.OAUTH.value
    failed = or_(c.status >= 400, c.outcome == "unreachable")  # noqa: PLR2004  # HTTP's own border
    answered = func.coalesce(c.outcome, "") == Outcome.ANSWERED.value
    found: list[ColumnElement[Any]] = [func.count(c.id).label("calls")]
    found += [_sum(c[name], name) for name in (*LANE_TOKENS, "thinking_tokens", "web_searches")]
    found += [_sum(c[name], name) for name in (*LANE_COSTS, "extra_pico", "cost_pico", "without_us_pico")]
    found += [_sum(case((c.evidence == each.value, c.cost_pico), else_=0), f"is_{each}") for each in Evidence]
    found += [
        _sum(case((on_plan, c.cost_pico), else_=0), "plan"),
        _sum(case((on_plan, 1), else_=0), "plan_calls"),
        _sum(case((unpriced, 1), else_=0), "unpriced"),
        _sum(case((and_(c.evidence == Evidence.ESTIMATED.value, not_(answered)), 1), else_=0), "estimated"),
        _sum(case((failed, 1), else_=0), "failed"),
        _sum(case((answered, 1), else_=0), "answered"),
        _sum(case((answered, c.without_us_pico), else_=0), "spared"),
    ]
    return found


def _sum(column: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0).label(name)


def read(row: RowMapping) -> Sums:
    """The sums of one row of a select of `columns()`."""
    # PostgreSQL sums integers to decimals; each is whole.
    whole = {name: int(row[name]) for name in _names()}
    lanes = [whole[name] for name in (*LANE_COSTS, "extra_pico")]
    return Sums(
        calls=whole["calls"],
        tokens=Usage(*(whole[name] for name in LANE_TOKENS)),
        thinking=whole["thinking_tokens"],
        web_searches=whole["web_searches"],
        paid=whole["cost_pico"],
        without_us=whole["without_us_pico"],
        plan=whole["plan"],
        plan_calls=whole["plan_calls"],
        unpriced=whole["unpriced"],
        estimated=whole["estimated"],
        failed=whole["failed"],
        answered=whole["answered"],
        spared=whole["spared"],
        lanes=dict(zip(COST_LANES, lanes, strict=True)),
        evidence={each.value: whole[f"is_{each}"] for each in Evidence},
    )


@cache
def _names() -> tuple[str, ...]:
    return tuple(str(column.key) for column in columns())

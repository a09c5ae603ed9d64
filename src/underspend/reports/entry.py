"""One call of the ledger as lists show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping

from underspend.core.call import BillingMode
from underspend.core.evidence import Evidence
from underspend.core.money import Money
from underspend.core.reply import Outcome
from underspend.core.usage import Usage
from underspend.reports.filters import MODEL, PROJECT
from underspend.stores.schema import LANE_TOKENS, calls

_PLAIN = (
    "id",
    "started_at",
    "ended_at",
    "state",
    "outcome",
    "endpoint",
    "provider",
    "status",
    "session",
    "role",
    "agent",
    "agent_type",
    "billing",
    "evidence",
    "unpriced",
    "duration_us",
    "first_byte_us",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A call: times in microseconds since the epoch, lengths in microseconds, money in pico-dollars."""

    id: str
    started_at: int
    ended_at: int | None
    state: str
    outcome: str | None
    endpoint: str
    provider: str
    status: int | None
    model: str | None
    project: str | None
    session: str | None
    role: str | None
    agent: str | None
    agent_type: str | None
    billing: str | None
    evidence: str | None
    unpriced: str | None
    duration_us: int | None
    first_byte_us: int | None
    tokens: Usage
    paid: Money
    without_us: Money

    @property
    def saved(self) -> Money:
        """What it would have cost without us, less what it did cost."""
        return self.without_us - self.paid

    @property
    def answered(self) -> bool:
        """Whether it got its reply from us: nothing was sent, and nothing billed."""
        return self.outcome == Outcome.ANSWERED.value

    @property
    def guessed(self) -> bool:
        """Whether `paid` is an estimate. Of a call that was answered here only `without_us` is."""
        return self.evidence == Evidence.ESTIMATED.value and not self.answered

    @property
    def on_plan(self) -> bool:
        """Whether a subscription paid: `paid` is then what API prices would have made of it."""
        return self.billing == BillingMode.OAUTH.value


def columns() -> list[ColumnElement[Any]]:
    """What a select from `filters.SOURCE` must ask for to be read by `entry`."""
    plain = [calls.c[name] for name in (*_PLAIN, *LANE_TOKENS, "cost_pico", "without_us_pico")]
    return [*plain, MODEL.label("model"), PROJECT.label("project")]


def entry(row: Mapping[str, Any] | RowMapping) -> Entry:
    """The call of a selected row, or of a row the running gateway publishes: a column that is missing is unknown."""
    model = row.get("model") or row.get("model_served") or row.get("model_sent") or row.get("model_asked")
    plain = {name: row.get(name) for name in _PLAIN}
    plain |= {"endpoint": plain["endpoint"] or "", "provider": plain["provider"] or "", "state": plain["state"] or ""}
    return Entry(
        **plain,  # type: ignore[arg-type]  # the ledger's schema gives the types
        model=model,
        project=row.get("project"),
        tokens=Usage(*(int(row.get(name) or 0) for name in LANE_TOKENS)),
        paid=int(row.get("cost_pico") or 0),
        without_us=int(row.get("without_us_pico") or 0),
    )

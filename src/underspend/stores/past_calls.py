"""What budgets need of the ledger: calls of the past, as they were counted when they were settled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Engine, Select, select

from underspend.core.budgets import PastCall, Subject
from underspend.core.call import BillingMode, Role
from underspend.core.money import Money
from underspend.stores.schema import LANE_TOKENS, calls

Unpriced = Callable[[str, int, int], Money]
"""What budgets count for a call without a price: by its provider, the tokens of its prompt and of its reply."""

_AT_ONCE = 500
_WHO = ("model_sent", "role", "project", "key", "session", "agent", "parent_agent")
_COUNTED = ("cost_pico", "unpriced", "provider", *LANE_TOKENS)


def past_calls(engine: Engine, since: int, unpriced: Unpriced, *, subscription: bool) -> Iterator[PastCall]:
    """Every settled call that began at or after an instant and cost something.

    Those of a subscription are left out unless `subscription`. The ledger keeps no tags: a call has none here.
    """
    columns = [calls.c[name] for name in ("started_at", *_WHO, *_COUNTED)]
    wanted = select(*columns).where(calls.c.started_at >= since, calls.c.state == "settled")
    if not subscription:
        wanted = wanted.where((calls.c.billing != BillingMode.OAUTH.value) | calls.c.billing.is_(None))
    for row in _rows(engine, wanted):
        amount = _amount(row, unpriced)
        if amount:
            yield PastCall(subject=_subject(row), at=row["started_at"], amount=amount)


def last_ended(engine: Engine, unpriced: Unpriced, *, limit: int) -> list[tuple[str, Money]]:
    """The settled calls that began last, with what they cost."""
    columns = [calls.c[name] for name in ("id", *_COUNTED)]
    wanted = select(*columns).where(calls.c.state == "settled").order_by(calls.c.started_at.desc()).limit(limit)
    return [(row["id"], _amount(row, unpriced)) for row in _rows(engine, wanted)]


def amounts(engine: Engine, names: Iterable[str], unpriced: Unpriced) -> dict[str, Money]:
    """What settled calls cost, by id; those that the ledger does not have, or that are open, are not in it."""
    listed, found = list(names), dict[str, Money]()
    for at in range(0, len(listed), _AT_ONCE):
        columns = [calls.c[name] for name in ("id", *_COUNTED)]
        wanted = select(*columns).where(calls.c.id.in_(listed[at : at + _AT_ONCE]), calls.c.state == "settled")
        found |= {row["id"]: _amount(row, unpriced) for row in _rows(engine, wanted)}
    return found


def last_sent(engine: Engine, session: str, agent: str | None, role: str) -> tuple[str, str] | None:
    """The model that a conversation's last call asked for and the one it was sent to; None where there is none."""
    same = calls.c.agent.is_(None) if agent is None else calls.c.agent == agent
    wanted = (
        select(calls.c.model_asked, calls.c.model_sent)
        .where(calls.c.session == session, same, calls.c.role == role, calls.c.endpoint == "messages")
        .order_by(calls.c.started_at.desc())
        .limit(1)
    )
    for row in _rows(engine, wanted):
        return row["model_asked"] or "", row["model_sent"] or ""
    return None


def _rows(engine: Engine, wanted: Select[Any]) -> Iterator[Mapping[str, Any]]:
    with engine.connect() as connection:
        for row in connection.execution_options(yield_per=_AT_ONCE).execute(wanted).mappings():
            yield dict(row)


def _amount(row: Mapping[str, Any], unpriced: Unpriced) -> Money:
    if not row["unpriced"]:
        return int(row["cost_pico"])
    prompt = sum(row[lane] for lane in LANE_TOKENS if lane != "output_tokens")
    return int(row["cost_pico"]) + unpriced(row["provider"], prompt, row["output_tokens"])


def _subject(row: Mapping[str, Any]) -> Subject:
    return Subject(
        model=row["model_sent"] or "",
        role=Role(row["role"]) if row["role"] in set(Role) else Role.UNKNOWN,
        project=row["project"],
        key=row["key"],
        session=row["session"],
        agent=row["agent"],
        parent_agent=row["parent_agent"],
    )

"""Replies that the gateway's ledger holds too: the same reply, seen twice, is one reply."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from underspend.audit.bills import Billed
from underspend.core.money import Money
from underspend.stores.schema import calls

TRANSCRIPT = "transcript"
"""The `endpoint` of ledger rows that came from a transcript and not through the gateway."""

_MANY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One call of the gateway's ledger: its ids and what it billed."""

    call_id: str
    message_id: str | None
    request_id: str | None
    cost: Money
    billing: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Replies by message id that the gateway saw too, with its own record of each.

    `ours` is what their transcripts come to and `gateway` what the gateway billed: equal unless a transcript lacks
    something the stream had.
    """

    seen: dict[str, Seen]
    ours: Money
    gateway: Money

    @property
    def billing(self) -> set[str]:
        """How those calls were paid."""
        return {each.billing for each in self.seen.values() if each.billing}


def join(engine: Engine, billed: Sequence[Billed]) -> Joined:
    """The replies that the gateway saw, by message id, else by request id."""
    with engine.connect() as connection:
        by_message = _rows(connection, "message_id", [each.reply.message_id for each in billed])
        missing = [each for each in billed if each.reply.message_id not in by_message]
        by_request = _rows(connection, "request_id", [name for each in missing if (name := each.reply.request_id)])
    found: dict[str, Seen] = {}
    ours = gateway = 0
    for each in billed:
        seen = by_message.get(each.reply.message_id) or by_request.get(each.reply.request_id or "")
        if seen is not None:
            found[each.reply.message_id] = seen
            ours += each.bill.total
            gateway += seen.cost
    return Joined(seen=found, ours=ours, gateway=gateway)


def paid_by(engine: Engine) -> list[str]:
    """How the gateway saw calls being paid."""
    query = select(calls.c.billing).distinct().where(calls.c.endpoint != TRANSCRIPT, calls.c.billing.is_not(None))
    with engine.connect() as connection:
        return [str(row[0]) for row in connection.execute(query)]


def _rows(connection: Connection, column: str, names: Sequence[str]) -> dict[str, Seen]:
    found: dict[str, Seen] = {}
    wanted = (calls.c.id, calls.c.message_id, calls.c.request_id, calls.c.cost_pico, calls.c.billing)
    query = select(*wanted).where(calls.c.endpoint != TRANSCRIPT)
    own = select(func.count()).select_from(calls).where(calls.c.endpoint != TRANSCRIPT)
    if connection.execute(own).scalar_one() <= len(names):
        # To look at every call that the gateway saw is less than to ask for each of many more names.
        known = set(names)
        return {name: _seen(row) for row in connection.execute(query) if (name := getattr(row, column)) in known}
    for part in _parts(names):
        for row in connection.execute(query.where(calls.c[column].in_(part))):
            found[getattr(row, column)] = _seen(row)
    return found


def _seen(row: Any) -> Seen:
    return Seen(
        call_id=row.id,
        message_id=row.message_id,
        request_id=row.request_id,
        cost=row.cost_pico,
        billing=row.billing,
    )


def _parts(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[at : at + _MANY] for at in range(0, len(names), _MANY))

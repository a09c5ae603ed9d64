"""History in Underspend's own ledger, where the client's deletion of its transcripts does not reach it.

One row of `calls` for each reply, with the endpoint "transcript" and an id made from the message id, so that keeping
again changes nothing. A reply that the gateway recorded itself is not kept twice, whichever came first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select

from underspend.audit.bills import Billed
from underspend.audit.ledger_join import TRANSCRIPT, join
from underspend.core.evidence import Evidence
from underspend.core.usage import Lane
from underspend.stores.rows import add_calls, add_session
from underspend.stores.schema import LANE_COSTS, LANE_TOKENS, calls

_MANY = 400
_SETTLED, _OK = "settled", "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What keeping did: rows written now, rows taken back because the gateway has them, rows there in all."""

    added: int
    removed: int
    total: int


def keep(engine: Engine, billed: Sequence[Billed], *, billing: str | None = None) -> Kept:
    """Writes the replies that the ledger does not hold yet, in transactions of a few hundred rows.

    `billing` is how they were paid, where that is known ("api_key", "oauth").
    """
    seen = join(engine, billed).seen
    with engine.begin() as connection:
        removed = _take_back(connection)
        known = set(connection.execute(select(calls.c.id).where(calls.c.endpoint == TRANSCRIPT)).scalars())
    new = [each for each in billed if each.reply.message_id not in seen and row_id(each.reply.message_id) not in known]
    for at in range(0, len(new), _MANY):
        with engine.begin() as connection:
            part = new[at : at + _MANY]
            add_calls(connection, [_row(each, billing) for each in part])
            _add_sessions(connection, part)
    with engine.connect() as connection:
        count = select(func.count()).select_from(calls).where(calls.c.endpoint == TRANSCRIPT)
        return Kept(added=len(new), removed=removed, total=connection.execute(count).scalar_one())


def forget(engine: Engine) -> int:
    """Takes every kept row out of the ledger again; the gateway's own stay. Returns how many there were."""
    with engine.begin() as connection:
        return connection.execute(delete(calls).where(calls.c.endpoint == TRANSCRIPT)).rowcount


def row_id(message_id: str) -> str:
    """The id of a reply's row: the same for the same message, 32 characters, none that the gateway would give."""
    return "t" + blake2b(message_id.encode(), digest_size=15).hexdigest()


def _take_back(connection: Connection) -> int:
    """Rows whose reply the gateway recorded since: its record is the fuller one."""
    own = select(calls.c.message_id).where(calls.c.endpoint != TRANSCRIPT, calls.c.message_id.is_not(None))
    gone = delete(calls).where(calls.c.endpoint == TRANSCRIPT, calls.c.message_id.in_(own))
    return connection.execute(gone).rowcount


def _add_sessions(connection: Connection, part: Collection[Billed]) -> None:
    places = {each.line.session: each.line for each in part}
    for session, line in places.items():
        add_session(
            connection, {"session": session[:128], "project": line.project[:255], "directory": line.directory}
        )


def _row(each: Billed, billing: str | None) -> dict[str, Any]:
    reply, bill, line = each.reply, each.bill, each.line
    usage = reply.metered.usage
    return {
        "id": row_id(reply.message_id),
        "started_at": reply.at,
        "ended_at": reply.at,
        "state": _SETTLED,
        "outcome": _OK,
        "endpoint": TRANSCRIPT,
        "provider": reply.metered.provider,
        "upstream": "",
        "model_asked": reply.asked_model,
        "model_served": reply.metered.model,
        "session": line.session[:128],
        "agent": line.agent and line.agent[:64],
        "agent_type": line.agent_type and line.agent_type[:64],
        "role": line.role.value,
        "turn": reply.turn and reply.turn[:64],
        "project": line.project[:255],
        "user_agent": f"claude-cli/{reply.version}" if reply.version else None,
        "billing": billing,
        "message_id": reply.message_id[:128],
        "request_id": reply.request_id and reply.request_id[:128],
        "stop_reason": reply.metered.stop_reason,
        "effort": reply.effort and reply.effort[:16],
        **dict(zip(LANE_TOKENS, (usage.lane(lane) for lane in Lane), strict=True)),
        **dict(zip(LANE_COSTS, (bill.lane(lane) for lane in Lane), strict=True)),
        "thinking_tokens": reply.metered.thinking_tokens,
        "web_searches": reply.metered.web_searches,
        "cost_pico": bill.total,
        "extra_pico": sum(amount for _, amount in bill.extras),
        "without_us_pico": bill.total,
        "unpriced": ", ".join(bill.unpriced)[:255] or None,
        "evidence": (Evidence.ESTIMATED if not reply.finalised else bill.evidence).value,
    }

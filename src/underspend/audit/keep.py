"""History in Underspend's own ledger, where the client's deletion of its transcripts does not reach it.

One row of `calls` for each reply, with the endpoint "transcript" and an id made from the message id, so that keeping
again changes nothing. A reply that the gateway recorded itself is not kept twice, whichever came first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, delete, func, select

from underspend.audit.bills import LANES, Billed
from underspend.audit.ledger_join import TRANSCRIPT, join
from underspend.core.call import Role
from underspend.core.evidence import Evidence
from underspend.core.history import Answered, Place, Timeline
from underspend.core.usage import Metered, Unit, Usage
from underspend.stores.rows import RowWriter
from underspend.stores.schema import LANE_COSTS, LANE_TOKENS, calls

_MANY = 400
_SETTLED, _OK = "settled", "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What keeping did: rows written now, rows taken back because the gateway has them, rows there in all."""

    added: int
    removed: int
    total: int


def keep(engine: Engine, billed: Sequence[Billed], *, roots: Sequence[Path] = (), billing: str | None = None) -> Kept:
    """Writes the replies that the ledger does not hold yet, in transactions of a few hundred rows.

    `roots` are the folders they were read from: what was read below one is recalled for that one only. `billing` is
    how they were paid, where that is known ("api_key", "oauth").
    """
    seen = join(engine, billed).seen
    with engine.begin() as connection:
        removed = _take_back(connection)
        known = set(connection.execute(select(calls.c.id).where(calls.c.endpoint == TRANSCRIPT)).scalars())
    new = [each for each in billed if each.reply.message_id not in seen and row_id(each.reply.message_id) not in known]
    places = {file: _root(file, roots) for file in {each.reply.place.file for each in new}}
    write = RowWriter()
    for at in range(0, len(new), _MANY):
        with engine.begin() as connection:
            part = new[at : at + _MANY]
            write.add_calls(connection, [_row(each, billing, places[each.reply.place.file]) for each in part])
            _add_sessions(write, connection, part)
    with engine.connect() as connection:
        count = select(func.count()).select_from(calls).where(calls.c.endpoint == TRANSCRIPT)
        return Kept(added=len(new), removed=removed, total=connection.execute(count).scalar_one())


def missing(engine: Engine, *, is_known: Callable[[str], bool], roots: Sequence[Path]) -> dict[str, int]:
    """The times (µs) of kept replies below `roots` that are not known by their message id, by the ids of their rows."""
    ours = (calls.c.endpoint == TRANSCRIPT, calls.c.upstream.in_([_name(root) for root in roots]))
    with engine.connect() as connection:
        kept = connection.execute(select(calls.c.id, calls.c.message_id, calls.c.started_at).where(*ours))
        return {row.id: row.started_at for row in kept if not is_known(row.message_id)}


def recall(engine: Engine, gone: Sequence[str]) -> list[Timeline]:
    """Kept replies whose transcripts are gone, by the ids of their rows, as timelines of replies alone."""
    found: dict[tuple[str | None, str | None], Timeline] = {}
    with engine.connect() as connection:
        rows: list[RowMapping] = []
        for at in range(0, len(gone), _MANY):
            rows += connection.execute(select(calls).where(calls.c.id.in_(gone[at : at + _MANY]))).mappings()
    for row in sorted(rows, key=lambda row: (row["started_at"], row["id"])):
        found.setdefault((row["session"], row["agent"]), _timeline(row)).events.append(_answered(row))
    return list(found.values())


def _timeline(row: RowMapping) -> Timeline:
    return Timeline(
        session=row["session"] or "",
        project=row["project"] or "",
        agent=row["agent"],
        agent_type=row["agent_type"],
        role=Role(row["role"]),
    )


def _answered(row: RowMapping) -> Answered:
    usage = Usage(*(int(row[name]) for name in LANE_TOKENS))
    metered = Metered(
        provider=row["provider"],
        model=row["model_served"],
        units=(Unit("message", usage),),
        reported=usage,
        message_id=row["message_id"],
        stop_reason=row["stop_reason"],
        thinking_tokens=row["thinking_tokens"],
        web_searches=row["web_searches"],
    )
    return Answered(
        message_id=row["message_id"],
        at=row["started_at"],
        place=Place(file="Underspend's ledger", line=0),
        metered=metered,
        request_id=row["request_id"],
        asked_model=row["model_asked"],
        effort=row["effort"],
        turn=row["turn"],
        finalised=row["evidence"] != Evidence.ESTIMATED.value,
    )


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


def _add_sessions(write: RowWriter, connection: Connection, part: Collection[Billed]) -> None:
    places = {each.line.session: each.line for each in part}
    for session, line in places.items():
        write.add_session(
            connection, {"session": session[:128], "project": line.project[:255], "directory": line.directory}
        )


def _root(file: str, roots: Sequence[Path]) -> str:
    return next((_name(root) for root in roots if Path(file).is_relative_to(root)), "")


def _name(root: Path) -> str:
    # The column holds 255 characters; the end of a path says more than its beginning.
    return str(root)[-255:]


def _row(each: Billed, billing: str | None, root: str) -> dict[str, Any]:
    reply, bill, line = each.reply, each.bill, each.line
    usage, costs = reply.metered.usage, dict.fromkeys(LANES, 0)
    for charge in bill.lines:
        costs[charge.lane] += charge.amount
    return {
        "id": row_id(reply.message_id),
        "started_at": reply.at,
        "ended_at": reply.at,
        "state": _SETTLED,
        "outcome": _OK,
        "endpoint": TRANSCRIPT,
        "provider": reply.metered.provider,
        "upstream": root,
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
        **dict(zip(LANE_TOKENS, map(usage.lane, LANES), strict=True)),
        **dict(zip(LANE_COSTS, costs.values(), strict=True)),
        "thinking_tokens": reply.metered.thinking_tokens,
        "web_searches": reply.metered.web_searches,
        "cost_pico": bill.total,
        "extra_pico": sum([amount for _, amount in bill.extras]),
        "without_us_pico": bill.total,
        "unpriced": ", ".join(bill.unpriced)[:255] or None,
        "evidence": (Evidence.ESTIMATED if not reply.finalised else bill.evidence).value,
    }

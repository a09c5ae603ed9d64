"""One session, call by call: what each cost and where a cache that had been warm was written again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select

from underspend.core.money import Money, scale
from underspend.reports import sums
from underspend.reports.entry import Entry, columns, entry
from underspend.reports.filters import SOURCE, Filter
from underspend.reports.sums import COST_LANES, Sums
from underspend.stores.schema import LANE_COSTS, calls

MOST = 500
_TRACE = 1_024
"""Below this the tail of a prompt is meant: it moves with every turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCall:
    """A call of a session.

    `gap_us` is the time since the call before it by the same agent on the same model; `rewritten` the tokens that call
    had in the provider's cache and this one had to write again, `rewrite_paid` what that writing cost.
    """

    entry: Entry
    lanes: dict[str, Money]
    gap_us: int | None
    rewritten: int
    rewrite_paid: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCalls:
    """The last calls of a session in time, how many came before those, and the sums of all."""

    calls: tuple[SessionCall, ...]
    more: int
    total: Sums


def session_calls(engine: Engine, session: str, *, limit: int = MOST) -> SessionCalls:
    """The calls of the session with exactly this id; none for one that is not known."""
    conditions = [*Filter().conditions(), calls.c.session == session]
    lanes = [calls.c[name] for name in (*LANE_COSTS, "extra_pico")]
    query = (
        select(*columns(), *lanes)
        .select_from(SOURCE)
        .where(*conditions)
        .order_by(calls.c.started_at.desc(), calls.c.id.desc())
        .limit(limit)
    )
    whole = select(*sums.columns()).select_from(SOURCE).where(*conditions)
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
        total = sums.read(connection.execute(whole).mappings().one())
    return SessionCalls(calls=_in_time(rows[::-1]), more=total.calls - len(rows), total=total)


def _in_time(rows: list[dict[str, Any]]) -> tuple[SessionCall, ...]:
    before: dict[tuple[str | None, ...], Entry] = {}
    found = []
    for row in rows:
        call = entry(row)
        lanes = {lane: int(row[name]) for lane, name in zip(COST_LANES, (*LANE_COSTS, "extra_pico"), strict=True)}
        chain = (call.agent, call.agent_type, call.role, call.model)
        previous = before.get(chain)
        rewritten = _rewritten(previous, call)
        written = call.tokens.cache_write_5m + call.tokens.cache_write_1h
        paid = lanes["cache_write_5m"] + lanes["cache_write_1h"]
        found.append(
            SessionCall(
                entry=call,
                lanes=lanes,
                gap_us=call.started_at - previous.started_at if previous else None,
                rewritten=rewritten,
                rewrite_paid=scale(paid, rewritten, written) if rewritten else 0,
            )
        )
        if call.tokens.prompt:
            before[chain] = call
    return tuple(found)


def _rewritten(previous: Entry | None, call: Entry) -> int:
    if previous is None:
        return 0
    had = previous.tokens.prompt - previous.tokens.input
    if call.tokens.prompt < had:  # a shorter prompt is another prompt: compacted, cleared, or not of this conversation
        return 0
    written = call.tokens.cache_write_5m + call.tokens.cache_write_1h
    again = min(had - call.tokens.cache_read, written)
    return again if again >= _TRACE else 0

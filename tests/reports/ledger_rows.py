"""Rows for a ledger in tests of the reports, the web and the command line."""

from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from underspend.stores.database import open_database, sqlite_url
from underspend.stores.schema import LANE_COSTS, LANE_TOKENS, bill_lines, blocks, calls, decisions, prompts, sessions

DOLLAR = 10**12
LANES = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
RATES = (3_000_000, 3_750_000, 6_000_000, 300_000, 15_000_000)


def us(text: str) -> int:
    """Microseconds since the epoch of an ISO time with its offset."""
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def new_ledger(folder: Path) -> Engine:
    return open_database(sqlite_url(folder / "ledger.sqlite3"))


def add_call(engine: Engine, name: str, at: str | int, tokens: tuple[int, ...] = (0, 0, 0, 0, 0), **more: Any) -> None:
    """A settled call billed at Sonnet-like rates, with its bill lines; `more` overrides columns."""
    started = us(at) if isinstance(at, str) else at
    costs = [count * rate for count, rate in zip(tokens, RATES, strict=True)]
    row: dict[str, Any] = {
        "id": name,
        "started_at": started,
        "ended_at": started + 2_000_000,
        "state": "settled",
        "outcome": "ok",
        "endpoint": "messages",
        "provider": "anthropic",
        "upstream": "https://api.anthropic.com",
        "status": 200,
        "model_asked": "claude-sonnet-5",
        "model_sent": "claude-sonnet-5",
        "model_served": "claude-sonnet-5",
        "session": "s-one",
        "role": "main",
        "project": "shop",
        "key": "k1",
        "billing": "api_key",
        "evidence": "billed",
        "duration_us": 2_000_000,
        "first_byte_us": 400_000,
        "overhead_us": 900,
        **dict(zip(LANE_TOKENS, tokens, strict=True)),
        **dict(zip(LANE_COSTS, costs, strict=True)),
        "cost_pico": sum(costs),
        "without_us_pico": sum(costs),
    } | more
    model = row["model_served"] or row["model_asked"] or "?"
    lines = [
        {
            "call_id": name,
            "n": n,
            "unit": 0,
            "kind": "message",
            "model": model,
            "lane": lane,
            "tokens": count,
            "rate_pico": rate,
            "amount_pico": count * rate,
        }
        for n, (lane, count, rate) in enumerate(zip(LANES, tokens, RATES, strict=True))
        if count and not row.get("unpriced")
    ]
    with engine.begin() as connection:
        connection.execute(insert(calls).values(**row))
        if lines:
            connection.execute(insert(bill_lines), lines)


def add_prompt(engine: Engine, call: str, pieces: list[tuple[str, str, str, int]], breakpoints: str = "{}") -> None:
    """A prompt of (section, kind, label, tokens) pieces."""
    digests = [blake2b(repr(piece).encode(), digest_size=16).digest() for piece in pieces]
    with engine.begin() as connection:
        for digest, (section, kind, label, tokens) in zip(digests, pieces, strict=True):
            row = {"digest": digest, "section": section, "kind": kind, "label": label, "tokens": tokens}
            connection.execute(insert(blocks).values(**row, size=tokens * 4))
        connection.execute(insert(prompts).values(call_id=call, digests=b"".join(digests), breakpoints=breakpoints))


def add_decision(engine: Engine, call: str, n: int = 0, **more: Any) -> None:
    row = {
        "call_id": call,
        "n": n,
        "strategy": "route",
        "edit": "SetModel",
        "detail": "model → claude-haiku-5",
        "why": "a title needs no large model",
        "applied": True,
        "before_pico": 3 * DOLLAR // 100,
        "after_pico": DOLLAR // 100,
    } | more
    with engine.begin() as connection:
        connection.execute(insert(decisions).values(**row))


def add_session(engine: Engine, session: str, project: str) -> None:
    with engine.begin() as connection:
        connection.execute(insert(sessions).values(session=session, project=project, directory=project))

"""A ledger with calls that budgets count, for tests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, StaticPool, create_engine, insert

from underspend.stores.schema import calls, metadata

NOW = 1_795_160_000_000_000


def call_row(name: str, cost: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "started_at": NOW,
        "ended_at": NOW,
        "state": "settled",
        "endpoint": "messages",
        "provider": "anthropic",
        "upstream": "u",
        "model_sent": "claude-opus-5-5",
        "role": "main",
        "billing": "api_key",
        "cost_pico": cost,
        **changes,
    }


def ledger(*rows: dict[str, Any]) -> Engine:
    # One connection for all threads: what is in memory belongs to its connection.
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    metadata.create_all(engine)
    with engine.begin() as connection:
        for row in rows:
            connection.execute(insert(calls).values(row))
    return engine

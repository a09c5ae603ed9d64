"""The ledger's tables. Portable SQL only: SQLite today, PostgreSQL by its URL.

Money columns end in `_pico` (integer pico-dollars), times are microseconds since the epoch, UTC. No column holds
text of a prompt or a reply except in `contents`, which stays empty unless `[privacy] store_content = true`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

SCHEMA_VERSION = "0001"

metadata = MetaData()

LANE_TOKENS = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
)
LANE_COSTS = (
    "input_pico",
    "cache_write_5m_pico",
    "cache_write_1h_pico",
    "cache_read_pico",
    "output_pico",
)


def _partial(name: str, column: str, where: str) -> Index:
    """An index of the few rows that matter: every index page that a call touches is one more to write per commit."""
    return Index(name, column, sqlite_where=text(where), postgresql_where=text(where))


calls = Table(
    "calls",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("state", String(8), nullable=False),
    Column("outcome", String(16)),
    Column("endpoint", String(32), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("upstream", String(255), nullable=False),
    Column("status", Integer),
    Column("stream", Boolean),
    Column("model_asked", String(128)),
    Column("model_sent", String(128)),
    Column("model_served", String(128)),
    Column("session", String(128)),
    Column("agent", String(64)),
    Column("parent_agent", String(64)),
    Column("agent_type", String(64)),
    Column("role", String(16)),
    Column("turn", String(64)),
    Column("project", String(255)),
    Column("user_agent", String(255)),
    Column("key", String(32)),
    Column("billing", String(8)),
    Column("message_id", String(128)),
    Column("request_id", String(128)),
    Column("stop_reason", String(48)),
    Column("effort", String(16)),
    Column("max_output", Integer),
    Column("request_bytes", BigInteger),
    Column("reply_bytes", BigInteger),
    Column("prompt_estimate", Integer),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in LANE_TOKENS),
    Column("thinking_tokens", BigInteger, nullable=False, server_default="0"),
    Column("web_searches", Integer, nullable=False, server_default="0"),
    Column("cost_pico", BigInteger, nullable=False, server_default="0"),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in LANE_COSTS),
    Column("extra_pico", BigInteger, nullable=False, server_default="0"),
    Column("without_us_pico", BigInteger, nullable=False, server_default="0"),
    Column("held_out", Boolean),
    Column("attempt_of", String(32)),
    Column("unpriced", String(255)),
    Column("evidence", String(12)),
    Column("notes", Text),
    Column("first_byte_us", BigInteger),
    Column("duration_us", BigInteger),
    Column("overhead_us", BigInteger),
    Index("calls_started_at", "started_at"),
    Index("calls_session", "session", "started_at"),
    _partial("calls_message_id", "message_id", "message_id IS NOT NULL"),
    _partial("calls_open", "state", "state = 'open'"),
    _partial("calls_attempt_of", "attempt_of", "attempt_of IS NOT NULL"),
)

bill_lines = Table(
    "bill_lines",
    metadata,
    Column("call_id", String(32), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("unit", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("model", String(128), nullable=False),
    Column("lane", String(20), nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("rate_pico", BigInteger, nullable=False),
    Column("amount_pico", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

decisions = Table(
    "decisions",
    metadata,
    Column("call_id", String(32), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("strategy", String(64), nullable=False),
    Column("edit", String(32), nullable=False),
    Column("detail", Text),
    Column("why", Text, nullable=False),
    Column("applied", Boolean, nullable=False),
    Column("before_pico", BigInteger),
    Column("after_pico", BigInteger),
    sqlite_with_rowid=False,
)

effects = Table(
    "effects",
    metadata,
    Column("call_id", String(32), primary_key=True),
    Column("strategy", String(64), primary_key=True),
    Column("saved_pico", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

kept_edits = Table(
    "kept_edits",
    metadata,
    Column("conversation", String(255), primary_key=True),
    Column("block", String(255), primary_key=True),
    Column("strategy", String(64), nullable=False),
    Column("edit", Text, nullable=False),
    Column("kept_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

routing = Table(
    "routing",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("key", String(512), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""What routing has learned, as rows of `routing.rows`."""

blocks = Table(
    "blocks",
    metadata,
    Column("digest", LargeBinary(16), primary_key=True),
    Column("section", String(8), nullable=False),
    Column("kind", String(48), nullable=False),
    Column("label", String(160), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

prompts = Table(
    "prompts",
    metadata,
    Column("call_id", String(32), primary_key=True),
    Column("digests", LargeBinary, nullable=False),
    Column("breakpoints", Text, nullable=False),
)

contents = Table(
    "contents",
    metadata,
    Column("call_id", String(32), primary_key=True),
    Column("request", LargeBinary),
    Column("reply", LargeBinary),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session", String(128), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("directory", Text, nullable=False),
)

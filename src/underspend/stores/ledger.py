"""The ledger of calls in a SQL database: one writer thread, many records to a commit."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

from sqlalchemy import Connection, Engine, func, literal_column, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError, SQLAlchemyError

from underspend.core.money import Money
from underspend.core.ports import LedgerHealth, Row, Settlement, Value
from underspend.stores import schema
from underspend.stores.inbox import Inbox
from underspend.stores.journal import Journal
from underspend.stores.rows import RowWriter
from underspend.stores.spool import Record, Spool

_BATCH = 512
_RETRY_SECONDS = 1.0
_HOLD_SECONDS = 0.050
_HOLD_RECORDS = 128  # more at once would hold up calls: while rows are made of them, the interpreter is busy

Waiter = asyncio.Future[None]
Fault = Callable[[str, str], None]


class _Stop:
    """Ends the writer once everything before it is written."""


class SqlLedger:
    """A LedgerPort. Use as a context manager: leaving it writes what is queued.

    Records are durable in the journal at once and in the database a moment later. With `power_safe`, or where the
    journal cannot be written, intents wait for the database.

    While the database cannot be written, records go to the spool, and each fault is told to `on_fault`; the database
    is tried again every second. A record that the database refuses for what it holds is put aside, in
    `<spool>.rejected`, so that it does not keep the others from being written.
    """

    def __init__(self, engine: Engine, spool: Path, *, on_fault: Fault, power_safe: bool = False) -> None:
        self._engine = engine
        self._spool = Spool(spool)
        self._journal = Journal(spool.with_name("journal.jsonl"))
        self._power_safe = power_safe
        self._on_fault = on_fault
        self._inbox: Inbox[tuple[Record, Waiter | None] | _Stop] = Inbox(_HOLD_RECORDS)
        self._rows = RowWriter()
        self._open: Connection | None = None
        self._down_until = 0.0
        self._taken = 0
        self._kept = 0
        self._thread = threading.Thread(target=self._write_all, name="ledger-writer", daemon=True)

    def __enter__(self) -> Self:
        self._recover()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._inbox.put(_Stop(), urgent=True)
        self._thread.join()
        self._disconnect()
        self._journal.close()

    def intend(self, call: Row) -> Waiter:
        """Resolves when the row is durable: in the journal, else in the database or in the spool. Never fails."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        record: Record = ("call", call)
        if self._journal.append(record) and not self._power_safe:
            self._put(record)
            waiter.set_result(None)
        else:
            self._put(record, waiter)
        return waiter

    def settle(self, settlement: Settlement) -> None:
        """Writes down the end of a call, and queues it for the database."""
        record: Record = ("settlement", settlement)
        self._journal.append(record)
        self._put(record)

    def learn_session(self, session: str, project: str, directory: str) -> None:
        """Queues where a session works."""
        row: Row = {"session": session, "project": project, "directory": directory}
        record: Record = ("session", row)
        self._journal.append(record)
        self._put(record)

    def _put(self, record: Record, waiter: Waiter | None = None) -> None:
        self._taken += 1
        self._inbox.put((record, waiter), urgent=waiter is not None)

    def health(self) -> LedgerHealth:
        """Where records go now."""
        waiting = self._spool.waiting
        state: Literal["ok", "spooling", "memory"] = "ok"
        if waiting:
            state = "memory" if self._spool.in_memory else "spooling"
        return LedgerHealth(state, waiting + self._taken - self._kept)

    def open_calls(self) -> list[Row]:
        """The intents that were never settled: calls of a gateway that was killed."""
        with self._engine.connect() as connection:
            found = connection.execute(
                select(schema.calls).where(schema.calls.c.state == literal_column("'open'"))
            ).mappings()
            return [dict(row) for row in found]

    def session_projects(self) -> dict[str, str]:
        """What is known of where sessions work: session → project."""
        with self._engine.connect() as connection:
            found = connection.execute(select(schema.sessions).limit(50_000))
            return {row.session: row.project for row in found}

    def kept_edits(self, conversation: str) -> list[Row]:
        """The edits that a conversation's later calls need again: block, strategy, edit."""
        table = schema.kept_edits
        with contextlib.suppress(SQLAlchemyError), self._engine.connect() as connection:
            found = connection.execute(select(table).where(table.c.conversation == conversation)).mappings()
            return [dict(row) for row in found]
        return []

    def kept_conversations(self, since: int) -> set[str]:
        """The conversations of which edits were kept at or after an instant (µs since the epoch), up to 50,000.

        A router's slots are no edits, nor is how a conversation was cached.
        """
        table = schema.kept_edits
        is_edit = table.c.block.not_in(("slot", "cache"))
        found = select(table.c.conversation).distinct().where(table.c.kept_at >= since, is_edit).limit(50_000)
        with self._engine.connect() as connection:
            return set(connection.execute(found).scalars())

    def calls_of(self, session: str, agent: str) -> list[Row]:
        """When the last 1,000 calls of a session's agent (or role) began and what they cost, oldest first."""
        calls = schema.calls
        query = (
            select(calls.c.started_at, calls.c.cost_pico, calls.c.without_us_pico)
            .where(calls.c.session == session[:128], func.coalesce(calls.c.agent, calls.c.role) == agent[:64])
            .where(calls.c.endpoint == "messages", calls.c.state == "settled", calls.c.attempt_of.is_(None))
            .order_by(calls.c.started_at.desc())
            .limit(1_000)
        )
        with contextlib.suppress(SQLAlchemyError), self._engine.connect() as connection:
            found: list[Row] = [dict(row) for row in connection.execute(query).mappings()]
            return found[::-1]
        return []

    def spent_since(self, start: int) -> Money:
        """The sum of all bills of calls that began at or after `start` (microseconds since the epoch)."""
        total = select(func.coalesce(func.sum(schema.calls.c.cost_pico), 0)).where(schema.calls.c.started_at >= start)
        with self._engine.connect() as connection:
            return int(connection.execute(total).scalar_one())

    def _recover(self) -> None:
        """Write what earlier gateways left in the spool and in the journal."""
        self._recover_spool()
        left = self._journal.left()
        if left:
            self._keep_somewhere(self._not_written(left))
        with contextlib.suppress(OSError):
            self._journal.open()
        if not self._spool.in_memory:
            self._journal.forget(0)

    def _recover_spool(self) -> None:
        with contextlib.suppress(SQLAlchemyError, OSError):
            self._spool.drain(self._write)

    def _not_written(self, records: list[Record]) -> list[Record]:
        """The records but for ends of calls that the database has: there they are fuller."""
        names = [str(value.call["id"]) for _, value in records if isinstance(value, Settlement)]
        settled: set[str] = set()
        with contextlib.suppress(SQLAlchemyError), self._engine.connect() as connection:
            for at in range(0, len(names), _BATCH):
                known = schema.calls.c.id.in_(names[at : at + _BATCH])
                found = select(schema.calls.c.id).where(known, schema.calls.c.state == "settled")
                settled.update(connection.execute(found).scalars())
        return [
            record for record in records if not isinstance(record[1], Settlement) or record[1].call["id"] not in settled
        ]

    def _write_all(self) -> None:
        """Many records to a commit; at once where a call waits for one."""
        stopping = False
        while not stopping:
            items = self._inbox.take(hold=_HOLD_SECONDS, idle=_RETRY_SECONDS if self._spool.waiting else None)
            stopping = any(isinstance(item, _Stop) for item in items)
            queued = [item for item in items if not isinstance(item, _Stop)]
            for at in range(0, len(queued) or 1, _BATCH):
                self._keep_batch(queued[at : at + _BATCH])
        if self._spool.waiting:
            self._recover_spool()

    def _keep_batch(self, items: list[tuple[Record, Waiter | None]]) -> None:
        try:
            self._keep([record for record, _ in items])
        finally:
            _wake([waiter for _, waiter in items if waiter is not None])

    def _keep(self, batch: list[Record]) -> None:
        self._keep_somewhere(batch)
        self._kept += len(batch)
        if not self._spool.in_memory:
            self._journal.forget(self._kept)

    def _keep_somewhere(self, batch: list[Record]) -> None:
        if time.monotonic() < self._down_until:
            self._spool.put(batch)
            return
        try:
            self._spool.drain(self._write)
            if batch:
                self._write(batch)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with the store, calls go on
            self._down_until = time.monotonic() + _RETRY_SECONDS
            self._spool.put(batch)
            self._on_fault("ledger", f"{type(error).__name__}: {error}".splitlines()[0])

    def _write(self, batch: list[Record]) -> None:
        """Commit the batch or, where one of its records cannot be written, each record for itself."""
        try:
            self._commit(batch)
        except Exception as error:
            if _is_down(error):
                raise
            for record in batch:
                self._write_alone(record)

    def _write_alone(self, record: Record) -> None:
        try:
            self._commit([record])
        except Exception as error:
            if _is_down(error):
                raise
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self._spool.reject(record, reason)
            self._on_fault("ledger", f"a record was put aside: {reason}")

    def _commit(self, batch: list[Record]) -> None:
        connection = self._connection()
        try:
            with connection.begin():
                ends = _last_ends(batch)
                self._rows.add_calls(connection, _still_open(batch, ends))
                self._rows.write(connection, list(ends.values()))
                for kind, value in batch:
                    if kind == "session" and not isinstance(value, Settlement):
                        self._rows.add_session(connection, value)
        except BaseException:
            self._rows.rolled_back()
            self._disconnect()
            raise
        self._rows.committed()

    def _connection(self) -> Connection:
        """The writer's own connection: taking one from the pool for each commit costs as much as the commit."""
        if self._open is None:
            self._open = self._engine.connect()
        return self._open

    def _disconnect(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            with contextlib.suppress(SQLAlchemyError):
                opened.close()


def _still_open(batch: list[Record], ends: Mapping[Value, Settlement]) -> list[Row]:
    """The calls that begin in a batch and do not end in it."""
    begun = [value for kind, value in batch if kind == "call" and not isinstance(value, Settlement)]
    return [row for row in begun if row["id"] not in ends]


def _last_ends(batch: list[Record]) -> dict[Value, Settlement]:
    """The last settlement of each call, at the start that the first one gave."""
    ends: dict[Value, Settlement] = {}
    for _, value in batch:
        if isinstance(value, Settlement):
            name = value.call["id"]
            first = ends.get(name)
            began = {} if first is None else {"started_at": first.call["started_at"]}
            ends[name] = replace(value, call={**value.call, **began}) if began else value
    return ends


_OF_THE_RECORD = (DataError, IntegrityError, InterfaceError, ProgrammingError)


def _is_down(error: Exception) -> bool:
    """Whether the database is at fault (locked, full, gone), rather than what was to be written."""
    return isinstance(error, OSError) or (isinstance(error, DBAPIError) and not isinstance(error, _OF_THE_RECORD))


def _wake(waiters: list[Waiter]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Waiter]] = {}
    for waiter in waiters:
        by_loop.setdefault(waiter.get_loop(), []).append(waiter)
    for loop, group in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever waited
            loop.call_soon_threadsafe(_resolve, group)


def _resolve(waiters: list[Waiter]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)

"""The ledger of calls in a SQL database: one writer thread, many records to a commit."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal, Self

from sqlalchemy import Connection, Engine, func, literal_column, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError, SQLAlchemyError

from underspend.core.money import Money
from underspend.core.ports import LedgerHealth, Row, Settlement, Value
from underspend.stores import schema
from underspend.stores.rows import RowWriter
from underspend.stores.spool import Record, Spool

_BATCH = 512
_RETRY_SECONDS = 1.0
_HOLD_SECONDS = 0.010
_HOLD_ENDS = 8  # with the time above, what a kill can turn from exact into estimated: eight calls, or ten milliseconds

Waiter = asyncio.Future[None]
Fault = Callable[[str, str], None]


class _Stop:
    """Ends the writer once everything before it is written."""


class SqlLedger:
    """A LedgerPort. Use as a context manager: leaving it writes what is queued.

    While the database cannot be written, records go to the spool, and each fault is told to `on_fault`; the database
    is tried again every second. A record that the database refuses for what it holds is put aside, in
    `<spool>.rejected`, so that it does not keep the others from being written.
    """

    def __init__(self, engine: Engine, spool: Path, *, on_fault: Fault) -> None:
        self._engine = engine
        self._spool = Spool(spool)
        self._on_fault = on_fault
        self._queue: SimpleQueue[tuple[Record, Waiter | None] | _Stop] = SimpleQueue()
        self._rows = RowWriter()
        self._open: Connection | None = None
        self._down_until = 0.0
        self._taken = 0
        self._kept = 0
        self._thread = threading.Thread(target=self._write_all, name="ledger-writer", daemon=True)

    def __enter__(self) -> Self:
        self._recover_spool()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(_Stop())
        self._thread.join()
        self._disconnect()

    def intend(self, call: Row) -> Waiter:
        """Resolves when the row is durable, in the database or in the spool. Never fails."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._put(("call", call), waiter)
        return waiter

    def settle(self, settlement: Settlement) -> None:
        """Queues the end of a call."""
        self._put(("settlement", settlement))

    def learn_session(self, session: str, project: str, directory: str) -> None:
        """Queues where a session works."""
        row: Row = {"session": session, "project": project, "directory": directory}
        self._put(("session", row))

    def _put(self, record: Record, waiter: Waiter | None = None) -> None:
        self._taken += 1
        self._queue.put((record, waiter))

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

    def spent_since(self, start: int) -> Money:
        """The sum of all bills of calls that began at or after `start` (microseconds since the epoch)."""
        total = select(func.coalesce(func.sum(schema.calls.c.cost_pico), 0)).where(schema.calls.c.started_at >= start)
        with self._engine.connect() as connection:
            return int(connection.execute(total).scalar_one())

    def _recover_spool(self) -> None:
        with contextlib.suppress(SQLAlchemyError, OSError):
            self._spool.drain(self._write)

    def _write_all(self) -> None:
        """Intents at once, since calls wait for them; ends of calls a moment later, several to a commit."""
        held: list[Record] = []
        due = 0.0
        stopping = False
        while not stopping:
            batch, waiters, stopping = self._next_batch(held_until=due if held else None)
            try:
                self._keep([record for record in batch if record[0] != "settlement"])
            finally:
                _wake(waiters)
            now = time.monotonic()
            due = due if held else now + _HOLD_SECONDS
            held += [record for record in batch if record[0] == "settlement"]
            if stopping or now >= due or len(held) >= _HOLD_ENDS:
                self._keep(held)
                held.clear()
        if self._spool.waiting:
            self._recover_spool()

    def _next_batch(self, *, held_until: float | None) -> tuple[list[Record], list[Waiter], bool]:
        wait = _RETRY_SECONDS if self._spool.waiting else None
        if held_until is not None:
            wait = max(0.0, held_until - time.monotonic())
        try:
            item = self._queue.get(timeout=wait)
        except Empty:
            return [], [], False
        batch: list[Record] = []
        waiters: list[Waiter] = []
        while True:
            if isinstance(item, _Stop):
                return batch, waiters, True
            record, waiter = item
            batch.append(record)
            if waiter is not None:
                waiters.append(waiter)
            if len(batch) >= _BATCH or self._queue.empty():
                return batch, waiters, False
            item = self._queue.get()

    def _keep(self, batch: list[Record]) -> None:
        self._keep_somewhere(batch)
        self._kept += len(batch)

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
                intents = [value for kind, value in batch if kind == "call" and not isinstance(value, Settlement)]
                self._rows.add_calls(connection, intents)
                self._rows.write(connection, _last_ends(batch))
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


def _last_ends(batch: list[Record]) -> list[Settlement]:
    """The last settlement of each call, at the start that the first one gave."""
    ends: dict[Value, Settlement] = {}
    for _, value in batch:
        if isinstance(value, Settlement):
            name = value.call["id"]
            first = ends.get(name)
            began = {} if first is None else {"started_at": first.call["started_at"]}
            ends[name] = replace(value, call={**value.call, **began}) if began else value
    return list(ends.values())


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

"""What both ledgers promise: the same tests run on the one in memory and on the one in SQL."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from stores.records import call, settlement
from underspend.core.ports import LedgerHealth, LedgerPort
from underspend.stores.ledger import SqlLedger
from underspend.stores.memory import MemoryLedger


class Both:
    """A ledger and a way to look into it."""

    def __init__(self, ledger: LedgerPort, leave: ExitStack, file: Path) -> None:
        self.ledger, self._leave, self._file = ledger, leave, file

    def intend(self, row: Any) -> None:
        async def now() -> None:
            await self.ledger.intend(row)

        asyncio.run(now())

    def calls(self) -> dict[str, tuple[str, int]]:
        """State and start of each call, once everything is written."""
        self._leave.close()
        if isinstance(self.ledger, MemoryLedger):
            return {name: (str(row["state"]), int(row["started_at"] or 0)) for name, row in self.ledger.calls.items()}
        with closing(sqlite3.connect(self._file)) as other:
            return {name: (state, at) for name, state, at in other.execute("SELECT id, state, started_at FROM calls")}

    def sessions(self) -> dict[str, tuple[str, str]]:
        self._leave.close()
        if isinstance(self.ledger, MemoryLedger):
            return self.ledger.sessions
        with closing(sqlite3.connect(self._file)) as other:
            return {name: (project, where) for name, project, where in other.execute("SELECT * FROM sessions")}

    def amounts(self) -> list[int]:
        self._leave.close()
        if isinstance(self.ledger, MemoryLedger):
            return [line["amount_pico"] for each in self.ledger.settlements.values() for line in each.lines]
        with closing(sqlite3.connect(self._file)) as other:
            return [amount for (amount,) in other.execute("SELECT amount_pico FROM bill_lines")]


@pytest.fixture(params=["memory", "sql"])
def both(request: pytest.FixtureRequest, tmp_path: Path, engine: Engine) -> Iterator[Both]:
    with ExitStack() as leave:
        ledger: LedgerPort = MemoryLedger()
        if request.param == "sql":
            spool = tmp_path / "spool.jsonl"
            ledger = leave.enter_context(SqlLedger(engine, spool, on_fault=lambda *said: pytest.fail(f"{said}")))
        yield Both(ledger, leave, tmp_path / "ledger.sqlite3")


def test_an_intent_is_open_until_it_is_settled(both: Both) -> None:
    both.intend(call("a"))
    both.intend(call("b"))
    both.ledger.settle(settlement("a"))
    assert both.calls() == {"a": ("settled", 10), "b": ("open", 10)}


def test_writing_twice_changes_nothing(both: Both) -> None:
    for _ in range(2):
        both.intend(call("a"))
        both.ledger.settle(settlement("a", lines=2))
    assert both.amounts() == [5, 5]
    assert both.calls() == {"a": ("settled", 10)}


def test_an_intent_that_comes_late_does_not_reopen_a_call(both: Both) -> None:
    both.ledger.settle(settlement("a"))
    both.intend(call("a"))
    assert both.calls() == {"a": ("settled", 10)}


def test_a_settlement_needs_no_intent(both: Both) -> None:
    both.ledger.settle(settlement("a", started_at=7))
    assert both.calls() == {"a": ("settled", 7)}


def test_the_last_settlement_stands_at_the_first_start(both: Both) -> None:
    both.ledger.settle(settlement("a", lines=3, started_at=7))
    both.ledger.settle(settlement("a", lines=1, started_at=99))
    assert both.amounts() == [5]
    assert both.calls() == {"a": ("settled", 7)}


def test_the_first_word_on_a_session_stays(both: Both) -> None:
    both.ledger.learn_session("s", "shop", "/home/ann/shop")
    both.ledger.learn_session("s", "other", "/elsewhere")
    assert both.sessions() == {"s": ("shop", "/home/ann/shop")}


def test_health_is_well_when_nothing_is_wrong(both: Both) -> None:
    both.intend(call("a"))
    deadline = time.monotonic() + 10
    while both.ledger.health().waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    assert both.ledger.health() == LedgerHealth("ok", 0)

"""The SQL ledger under every fault: what was said to be durable is, and what failed waits its turn."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from stores.records import call, prompt, settlement
from underspend.core.ports import Settlement
from underspend.stores import ledger as module
from underspend.stores.database import open_database, sqlite_url
from underspend.stores.journal import Journal
from underspend.stores.ledger import SqlLedger
from underspend.stores.spool import read_lines


class Faults(list[str]):
    def __call__(self, component: str, message: str) -> None:
        self.append(f"{component}: {message}")


class Place:
    """A folder with a ledger, looked at from outside."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.file, self.spool = folder / "ledger.sqlite3", folder / "spool.jsonl"
        self.engine, self.faults = engine, Faults()

    def ledger(self, spool: Path | None = None) -> SqlLedger:
        return SqlLedger(self.engine, spool or self.spool, on_fault=self.faults)

    @property
    def journal(self) -> Path:
        return self.spool.with_name("journal.jsonl")

    def noted(self) -> set[str]:
        """The calls that a kill at this moment would not lose."""
        return {*self.states(), *(str(value["id"]) for _, value in read_lines(self.journal) if isinstance(value, dict))}

    def states(self) -> dict[str, str]:
        with closing(sqlite3.connect(self.file)) as other:
            return dict(other.execute("SELECT id, state FROM calls ORDER BY id"))


@pytest.fixture
def place(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.05)
    return Place(tmp_path, engine)


@pytest.fixture
def locked(place: Place) -> Iterator[sqlite3.Connection]:
    """Another program holds the database until it rolls back."""
    with closing(sqlite3.connect(place.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)


def intend(ledger: SqlLedger, *names: str) -> None:
    async def all_of_them() -> None:
        await asyncio.gather(*(ledger.intend(call(name)) for name in names))

    asyncio.run(all_of_them())


def test_an_intent_is_durable_before_it_resolves(place: Place) -> None:
    with place.ledger() as ledger:
        for name in ("a", "b", "c"):
            intend(ledger, name)
            assert name in place.noted()
            until(lambda name=name: place.states().get(name) == "open")  # type: ignore[misc]


def test_many_intents_at_once_are_all_written(place: Place) -> None:
    names = [f"c{n:04}" for n in range(1500)]
    with place.ledger() as ledger:
        intend(ledger, *names)
        assert place.noted() >= set(names)
        until(lambda: list(place.states()) == names)


def test_leaving_writes_what_is_queued(place: Place) -> None:
    with place.ledger() as ledger:
        for number in range(700):
            ledger.settle(settlement(f"c{number}", prompt=prompt(f"{number}")))
    assert len(place.states()) == 700
    assert (place.faults, place.spool.exists()) == ([], False)


def test_an_intent_cancelled_while_it_waits_harms_nothing(place: Place) -> None:
    async def cancelled(ledger: SqlLedger) -> None:
        waiting = asyncio.ensure_future(ledger.intend(call("a")))
        waiting.cancel()
        await ledger.intend(call("b"))

    with place.ledger() as ledger:
        asyncio.run(cancelled(ledger))
    assert list(place.states()) == ["a", "b"]


def test_while_the_database_is_locked_records_wait_in_the_spool(place: Place, locked: sqlite3.Connection) -> None:
    with place.ledger() as ledger:
        intend(ledger, "a")
        ledger.settle(settlement("b"))
        until(lambda: place.spool.exists() and place.spool.read_text().count("\n") == 2)
        assert ledger.health() == module.LedgerHealth("spooling", 2)
        assert [json.loads(line)["call"]["id"] for line in place.spool.read_text().splitlines()] == ["a", "b"]
        assert "database is locked" in place.faults[0]
        locked.execute("ROLLBACK")
        # No further call is needed for what waits to be written.
        until(lambda: ledger.health().waiting == 0)
        assert place.states() == {"a": "open", "b": "settled"}
        assert (ledger.health().state, place.spool.exists()) == ("ok", False)


def test_without_database_and_disk_records_wait_in_memory(
    place: Place, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "append", lambda *_: False)
    place.spool.symlink_to("/dev/full")
    with place.ledger() as ledger:
        intend(ledger, "a")
        assert ledger.health() == module.LedgerHealth("memory", 1)
        locked.execute("ROLLBACK")
        until(lambda: ledger.health().state == "ok")
        assert place.states() == {"a": "open"}


def test_what_is_spooled_at_the_end_is_written_by_the_next(place: Place, locked: sqlite3.Connection) -> None:
    with place.ledger() as ledger:
        ledger.settle(settlement("a"))
    assert place.spool.exists()
    locked.execute("ROLLBACK")
    with place.ledger() as ledger:
        assert place.states() == {"a": "settled"}
        assert ledger.health().waiting == 0


POISON = [
    pytest.param({"cost_pico": 10**30}, id="too large a number"),
    pytest.param({"endpoint": None}, id="no value where one must be"),
    pytest.param({"notes": {"a": 1}}, id="no value of a row"),
    pytest.param({"notes": "\ud800"}, id="half a surrogate pair"),
    pytest.param({"no_such_column": 1}, id="an unknown column"),
]


@pytest.mark.parametrize("wrong", POISON)
def test_one_poisoned_record_does_not_hold_up_the_others(place: Place, wrong: dict[str, object]) -> None:
    with place.ledger() as ledger:
        ledger.settle(settlement("a"))
        ledger.settle(settlement("poison", **wrong))
        ledger.settle(settlement("b"))
        intend(ledger, "c")
        until(lambda: place.states() == {"a": "settled", "b": "settled", "c": "open"})
        assert ledger.health().state == "ok"
    aside = [json.loads(line) for line in place.spool.with_name("spool.jsonl.rejected").read_text().splitlines()]
    assert [each["call"]["id"] for each in aside] == ["poison"]
    assert [fault.partition(": ")[0] for fault in place.faults] == ["ledger"]
    assert place.faults[0].startswith("ledger: a record was put aside: ")


@pytest.mark.parametrize("wrong", POISON)
def test_poison_that_was_spooled_is_put_aside_when_the_database_is_back(
    place: Place, locked: sqlite3.Connection, wrong: dict[str, object]
) -> None:
    with place.ledger() as ledger:
        ledger.settle(settlement("poison", **wrong))
        intend(ledger, "a")
        until(lambda: ledger.health().state == "spooling")
        locked.execute("ROLLBACK")
        until(lambda: ledger.health().waiting == 0)
        assert place.states() == {"a": "open"}


def test_poison_with_nowhere_to_put_it_aside_still_lets_calls_go_on(place: Place) -> None:
    place.spool.with_name("spool.jsonl.rejected").mkdir()
    with place.ledger() as ledger:
        ledger.settle(settlement("poison", cost_pico=10**30))
        intend(ledger, "a")
        until(lambda: len(place.faults) > 0)
        assert ledger.health().waiting > 0


def test_a_spool_with_a_half_line_is_read_as_far_as_it_goes(place: Place, locked: sqlite3.Connection) -> None:
    with place.ledger() as ledger:
        ledger.settle(settlement("a"))
    with place.spool.open("ab") as file:
        file.write(b'{"kind":"call","call":{"id":"torn')
    with place.ledger() as ledger:
        intend(ledger, "b")
        locked.execute("ROLLBACK")
        until(lambda: ledger.health().waiting == 0)
    assert place.states() == {"a": "settled", "b": "open"}


KILLED = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from stores.records import call
from underspend.stores.database import open_database, sqlite_url
from underspend.stores.ledger import SqlLedger

async def main(ledger):
    number = 0
    while True:
        await ledger.intend(call(f"c{number:05}"))
        print(number, flush=True)
        number += 1

folder = Path(sys.argv[1])
engine = open_database(sqlite_url(folder / "ledger.sqlite3"), busy_ms=10)
with SqlLedger(engine, folder / "spool.jsonl", on_fault=lambda *_: None) as ledger:
    asyncio.run(main(ledger))
"""


@pytest.mark.parametrize("while_locked", [False, True])
def test_a_kill_loses_no_intent_that_had_resolved(place: Place, *, while_locked: bool) -> None:
    with closing(sqlite3.connect(place.file, isolation_level=None)) as other:
        arguments = [sys.executable, "-c", KILLED, str(place.file.parent), str(Path(__file__).parents[1])]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            resolved = [int(process.stdout.readline())]
            if while_locked:
                other.execute("BEGIN IMMEDIATE")
            resolved += [int(process.stdout.readline()) for _ in range(40)]
            os.kill(process.pid, signal.SIGKILL)
            resolved += [int(line) for line in process.stdout.read().split()]
        if while_locked:
            other.execute("ROLLBACK")
    with place.ledger() as ledger:
        assert {row["id"] for row in ledger.open_calls()} >= {f"c{number:05}" for number in resolved}


def test_what_is_asked_of_it(place: Place) -> None:
    with place.ledger() as ledger:
        ledger.learn_session("s", "shop", "/home/ann/shop")
        ledger.settle(settlement("a", started_at=100, lines=3))
        ledger.settle(settlement("b", started_at=200, lines=4))
        intend(ledger, "c")
        until(lambda: ledger.health().waiting == 0)
        assert [row["id"] for row in ledger.open_calls()] == ["c"]
        assert ledger.session_projects() == {"s": "shop"}
        assert [ledger.spent_since(start) for start in (0, 100, 101, 200, 201)] == [35, 35, 20, 20, 0]


def test_a_prompt_is_taken_apart_by_the_writer(place: Place) -> None:
    with place.ledger() as ledger:
        ledger.settle(settlement("a", prompt=prompt("one", "two")))
    with closing(sqlite3.connect(place.file)) as other:
        assert other.execute("SELECT length(digests) FROM prompts").fetchone() == (48,)


def test_two_settlements_of_one_call_in_one_batch_keep_the_last(place: Place) -> None:
    ledger = place.ledger()
    ledger.settle(settlement("a", lines=3))
    ledger.settle(Settlement(call=settlement("a", lines=1).call, lines=settlement("a", lines=1).lines))
    with ledger:
        pass
    with closing(sqlite3.connect(place.file)) as other:
        assert other.execute("SELECT sum(amount_pico) FROM bill_lines").fetchone() == (5,)
        assert other.execute("SELECT cost_pico FROM calls").fetchone() == (5,)


def test_the_writer_is_gone_after_leaving(place: Place) -> None:
    with place.ledger():
        assert "ledger-writer" in {thread.name for thread in threading.enumerate()}
    assert "ledger-writer" not in {thread.name for thread in threading.enumerate()}


def test_a_database_that_lost_its_tables_is_down_not_poisoned(place: Place, tmp_path: Path) -> None:
    empty = open_database(sqlite_url(tmp_path / "empty.sqlite3"))
    with closing(sqlite3.connect(tmp_path / "empty.sqlite3")) as other:
        other.execute("DROP TABLE calls")
        other.commit()
    with SqlLedger(empty, place.spool, on_fault=place.faults) as ledger:
        intend(ledger, "a")
        until(lambda: ledger.health().state == "spooling")
    empty.dispose()
    assert not place.spool.with_name("spool.jsonl.rejected").exists()


def test_what_is_power_safe_is_in_the_database_before_it_resolves(place: Place) -> None:
    with SqlLedger(place.engine, place.spool, on_fault=place.faults, power_safe=True) as ledger:
        intend(ledger, "a")
        assert place.states() == {"a": "open"}


def test_a_journal_that_cannot_be_made_leaves_intents_to_the_database(place: Place) -> None:
    place.journal.mkdir()
    with place.ledger() as ledger:
        intend(ledger, "a")
        assert place.states() == {"a": "open"}


def test_an_end_in_the_journal_is_not_an_estimate_after_a_kill(place: Place) -> None:
    first = place.ledger()
    with first:
        pass
    killed = Journal(place.journal)
    killed.open()
    assert killed.append(("call", call("a")))
    assert killed.append(("settlement", settlement("a", lines=2)))
    with place.ledger():
        assert place.states() == {"a": "settled"}
        assert place.journal.read_bytes() == b""


def test_what_the_database_has_is_not_written_again_from_the_journal(place: Place) -> None:
    with place.ledger() as ledger:
        ledger.settle(settlement("a", turn="from the prompt"))
    killed = Journal(place.journal)
    killed.open()
    assert killed.append(("settlement", settlement("a", turn=None)))
    with place.ledger(), closing(sqlite3.connect(place.file)) as other:
        assert other.execute("SELECT turn FROM calls").fetchall() == [("from the prompt",)]


def test_kept_edits_are_found_by_their_conversation(place: Place) -> None:
    row = {"conversation": "s main", "block": "00ff", "strategy": "trim", "edit": "{}", "kept_at": 500}
    with place.ledger() as ledger:
        assert ledger.kept_conversations(0) == set()
        for _ in range(2):
            ledger.settle(replace(settlement("a"), kept=[row]))
        until(lambda: ledger.kept_edits("s main") == [row])
        assert ledger.kept_edits("another") == []
        assert [ledger.kept_conversations(since) for since in (500, 501)] == [{"s main"}, set()]


def test_a_conversations_calls_are_found_again(place: Place) -> None:
    ours = {"session": "s", "agent": None, "role": "main", "endpoint": "messages"}
    with place.ledger() as ledger:
        for name, more in {
            "b": {"started_at": 20},
            "a": {"started_at": 10},
            "c": {"started_at": 30, "agent": "a1", "role": "subagent"},
            "d": {"started_at": 40, "attempt_of": "a"},
            "e": {"started_at": 50, "session": "another"},
        }.items():
            ledger.settle(settlement(name, **{**ours, **more}))
        until(lambda: [row["started_at"] for row in ledger.calls_of("s", "main")] == [10, 20])
        until(lambda: [row["started_at"] for row in ledger.calls_of("s", "a1")] == [30])

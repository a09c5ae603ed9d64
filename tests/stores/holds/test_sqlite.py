from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from underspend.core.holds import Booking, Claim, HoldsError, Reserved
from underspend.core.windows import FOREVER
from underspend.stores.holds.sqlite import SqliteHolds

CLAIM = Claim("b", "b|", "b|", 100, enforced=True, bucket=0, since=0, until=FOREVER, forget=FOREVER)


def test_what_is_settled_and_held_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "holds.sqlite3"
    holds = SqliteHolds(file, power_safe=True)
    holds.restore("b|", (Booking("b|", 0, 5, FOREVER),), now=0)
    holds.reserve("a", (CLAIM,), 10, now=0, expires=50)
    holds.close()
    again = SqliteHolds(file)
    (standing,) = again.standings((CLAIM,), now=1)
    assert (standing.spent, standing.held) == (5, 10)
    again.close()


def test_a_file_that_is_no_database_is_an_error_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "holds.sqlite3"
    file.write_bytes(b"no database, but long enough to be looked at as one" * 30)
    with pytest.raises(HoldsError, match=r"holds\.sqlite3 cannot be used: file is not a database"):
        SqliteHolds(file)
    with pytest.raises(HoldsError, match="unable to open"):
        SqliteHolds(tmp_path / "nowhere" / "holds.sqlite3")


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "holds.sqlite3"
    SqliteHolds(file).close()
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 9")
    database.close()
    with pytest.raises(HoldsError, match="newer Underspend"):
        SqliteHolds(file)


def test_one_who_waits_too_long_for_his_turn_is_told(tmp_path: Path) -> None:
    file = tmp_path / "holds.sqlite3"
    holds = SqliteHolds(file, busy_ms=30)
    holds.restore("b|", (), now=0)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(HoldsError, match="locked"):
        holds.reserve("a", (CLAIM,), 1, now=0, expires=5)
    other.execute("ROLLBACK")
    other.close()
    assert isinstance(holds.reserve("a", (CLAIM,), 1, now=0, expires=5), Reserved)
    holds.close()


def test_a_method_that_fails_half_way_changes_nothing(tmp_path: Path) -> None:
    holds = SqliteHolds(tmp_path / "holds.sqlite3")
    holds.restore("b|", (), now=0)
    twice_the_same = (CLAIM, CLAIM)
    with pytest.raises(HoldsError, match="UNIQUE"):
        holds.reserve("a", twice_the_same, 1, now=0, expires=5)
    assert holds.settle("a", 1, now=0) is False
    assert holds.standings((CLAIM,), now=0)[0].used == 0
    holds.close()


def _open_and_reserve(file: str, name: str) -> None:
    holds = SqliteHolds(Path(file), busy_ms=20_000)
    holds.restore("b|", (), now=0)
    for n in range(20):
        holds.reserve(f"{name}{n}", (CLAIM,), 1, now=0, expires=5)
    holds.close()


def test_processes_that_begin_at_once_make_one_file(tmp_path: Path) -> None:
    file, spawn = tmp_path / "holds.sqlite3", multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_open_and_reserve, args=(str(file), name)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    holds = SqliteHolds(file)
    assert holds.standings((CLAIM,), now=0)[0].held == 60
    holds.close()

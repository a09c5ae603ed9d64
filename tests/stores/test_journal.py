"""The journal: durable at once, forgotten when safe elsewhere, never growing without end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stores.records import call, settlement
from underspend.stores import journal as module
from underspend.stores.journal import Journal
from underspend.stores.spool import Record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def opened(path: Path) -> Journal:
    made = Journal(path)
    made.open()
    return made


def calls(count: int) -> list[Record]:
    return [("call", call(f"c{number}")) for number in range(count)]


def test_another_process_finds_what_one_wrote(path: Path) -> None:
    records: list[Record] = [*calls(2), ("settlement", settlement("c0", lines=2))]
    journal = opened(path)
    assert all(journal.append(record) for record in records)
    assert Journal(path).left() == records


def test_what_is_safe_elsewhere_is_forgotten(path: Path) -> None:
    journal = opened(path)
    for record in calls(3):
        journal.append(record)
    journal.forget(2)
    assert len(Journal(path).left()) == 3  # the file is emptied when nothing in it is needed, not before
    journal.forget(3)
    assert Journal(path).left() == []


def test_it_leaves_no_empty_files(path: Path) -> None:
    journal = opened(path)
    journal.close()
    assert list(path.parent.iterdir()) == []
    assert not journal.append(calls(1)[0])


def test_two_files_take_turns_under_a_load_that_never_pauses(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TURN_BYTES", 2_000)
    journal = opened(path)
    most = 0
    for number, record in enumerate(calls(500)):
        assert journal.append(record)
        journal.forget(number - 3)  # the database is always a few records behind
        most = max(most, sum(file.stat().st_size for file in path.parent.iterdir()))
        kept = [value["id"] for _, value in Journal(path).left() if isinstance(value, dict)]
        assert {f"c{n}" for n in range(max(0, number - 3), number + 1)} <= set(kept)
    assert most < 20_000


def test_a_full_disk_is_said(path: Path) -> None:
    path.symlink_to("/dev/full")
    journal = opened(path)
    assert not journal.append(calls(1)[0])


def test_half_a_line_of_a_full_disk_costs_that_line_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(path)
    first, second = calls(2)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[: len(line) // 2]))
    assert not journal.append(first)
    monkeypatch.undo()
    assert journal.append(second)
    assert Journal(path).left() == [second]


def test_half_a_line_of_a_crash_costs_that_line_only(path: Path) -> None:
    path.write_bytes(b'{"kind":"call","call":{"id":"torn')
    assert opened(path).append(calls(1)[0])
    assert Journal(path).left() == calls(1)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.records import call, prompt, settlement
from underspend.core.ports import Settlement
from underspend.stores.spool import Record, Spool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.jsonl"


def drained(spool: Spool) -> list[Record]:
    found: list[Record] = []
    spool.drain(found.extend)
    return found


def calls(*names: str) -> list[Record]:
    return [("call", call(name)) for name in names]


def test_records_come_back_in_order(path: Path) -> None:
    records: list[Record] = [
        *calls("a"),
        ("settlement", settlement("a")),
        ("session", {"session": "s", "project": "p"}),
    ]
    spool = Spool(path)
    spool.put(records[:1])
    spool.put(records[1:])
    assert (spool.waiting, spool.in_memory) == (3, False)
    assert drained(spool) == records
    assert (spool.waiting, path.exists()) == (0, False)


def test_another_process_finds_what_one_left(path: Path) -> None:
    Spool(path).put(calls("a", "b"))
    spool = Spool(path)
    assert (spool.waiting, drained(spool), Spool(path).waiting) == (2, calls("a", "b"), 0)


VALUES = st.none() | st.booleans() | st.integers() | st.text()


@given(st.dictionaries(st.sampled_from(["id", "notes", "status", "stream"]), VALUES))
def test_any_row_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, row: dict[str, Any]) -> None:
    file = tmp_path_factory.mktemp("spool") / "spool.jsonl"
    Spool(file).put([("call", row), ("settlement", Settlement(call=row, lines=[], decisions=[]))])
    assert drained(Spool(file)) == [("call", row), ("settlement", Settlement(call=row, lines=[], decisions=[]))]


def test_no_text_of_a_prompt_is_spooled(path: Path) -> None:
    secret = settlement(prompt=prompt("my diary"))
    Spool(path).put(
        [("settlement", Settlement(call=secret.call, prompt=secret.prompt, contents={"request": b"my diary"}))]
    )
    assert b"my diary" not in path.read_bytes()
    assert drained(Spool(path)) == [("settlement", Settlement(call=secret.call, lines=[], decisions=[]))]


@pytest.mark.parametrize("disk", ["/dev/full", "/proc/nowhere/spool", "/"])
def test_without_a_disk_records_wait_in_memory(disk: str) -> None:
    spool = Spool(Path(disk))
    spool.put(calls("a"))
    spool.put(calls("b"))
    assert (spool.waiting, spool.in_memory) == (2, True)
    assert drained(spool) == calls("a", "b")
    assert (spool.waiting, spool.in_memory) == (0, False)


def test_what_waited_in_memory_goes_to_the_file_when_there_is_one_again(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    spool = Spool(folder / "spool.jsonl")
    spool.put(calls("a"))
    folder.mkdir()
    spool.put(calls("b"))
    assert (spool.waiting, spool.in_memory) == (2, False)
    assert drained(Spool(folder / "spool.jsonl")) == calls("a", "b")


def test_what_cannot_be_written_is_not_forgotten(path: Path) -> None:
    spool = Spool(path)
    spool.put(calls("a"))

    def down(_: list[Record]) -> None:
        raise OSError("down")

    with pytest.raises(OSError, match="down"):
        spool.drain(down)
    assert (spool.waiting, drained(spool)) == (1, calls("a"))


@given(cut=st.integers(1, 400))
def test_a_half_line_costs_no_other_record(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """A crash, or a disk that filled up, left part of a line; the next writer goes on behind it."""
    file = tmp_path_factory.mktemp("spool") / "spool.jsonl"
    Spool(file).put(calls("a", "b"))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) - min(cut, len(whole))])
    Spool(file).put(calls("c", "d"))
    names = [record[1]["id"] for record in drained(Spool(file))]  # type: ignore[index]
    assert names[-2:] == ["c", "d"]
    assert names[:-2] == ["a", "b"][: len(names) - 2]
    assert len(names) >= 2 + whole[: len(whole) - cut].count(b"\n") if cut < len(whole) else names == ["c", "d"]


@pytest.mark.parametrize("junk", [b"{", b"null", b"[]", b'{"kind":"settlement"}', b'{"kind":"call","call":3}', b"\xff"])
def test_a_line_that_is_no_record_is_passed_over(path: Path, junk: bytes) -> None:
    path.write_bytes(junk + b"\n")
    spool = Spool(path)
    spool.put(calls("a"))
    assert drained(spool) == calls("a")
    assert not path.exists()


def test_nothing_waiting_writes_nothing(path: Path) -> None:
    Spool(path).drain(lambda _: pytest.fail("nothing to write"))


def test_what_is_rejected_is_put_aside_with_the_reason(path: Path) -> None:
    spool = Spool(path)
    spool.reject(("settlement", settlement(prompt=prompt("my diary"), status=10**30)), "too large")
    spool.reject(("call", call(notes="\ud800")), "no text")
    aside = [json.loads(line) for line in (path.parent / "spool.jsonl.rejected").read_text().splitlines()]
    assert [(each["reason"], each["kind"], each["call"]["id"]) for each in aside] == [
        ("too large", "settlement", "c1"),
        ("no text", "call", "c1"),
    ]
    assert spool.waiting == 0
    assert "my diary" not in json.dumps(aside)

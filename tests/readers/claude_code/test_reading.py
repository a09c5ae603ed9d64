from __future__ import annotations

from pathlib import Path

import pytest

from readers.transcripts import assistant, write
from underspend.readers.claude_code import reading
from underspend.readers.claude_code.cache import Cache
from underspend.readers.claude_code.records import Extract, Source, unpack
from underspend.readers.claude_code.roots import sources


@pytest.fixture
def files(tmp_path: Path) -> list[Source]:
    for number in range(4):
        write(tmp_path / "logs", f"{number}.jsonl", assistant(f"msg_{number}"))
    return sources([tmp_path / "logs"])[0]


def ids(read: list[tuple[Source, Extract]]) -> list[str]:
    return [extract.parts[0].answered[0].message_id for _, extract in read]


@pytest.mark.parametrize("processes", [1, 2])
def test_all_files_in_their_order(files: list[Source], processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_WORTH_A_PROCESS", 0)
    told: list[tuple[int, int]] = []
    read = reading.read_all(files, Cache(None), processes=processes, progress=lambda *at: told.append(at))
    assert ids(read) == ["msg_0", "msg_1", "msg_2", "msg_3"]
    total = sum(source.size for source in files)
    assert told[-1] == (total, total)
    assert told == sorted(told)


def test_what_the_second_process_does_not_hand_back_is_read_again(
    files: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_WORTH_A_PROCESS", 0)
    monkeypatch.setattr("underspend.readers.claude_code.second.Second.finished", lambda self: iter(()))
    monkeypatch.setattr("underspend.readers.claude_code.second.Second.shares", lambda self: iter((0,)))
    monkeypatch.setattr("underspend.readers.claude_code.reading.batches", lambda files: [[item] for item in files])
    read = reading.read_all(files, Cache(None), processes=2, progress=None)
    assert ids(read) == ["msg_0", "msg_1", "msg_2", "msg_3"]


def test_unchanged_files_are_not_read_again(
    files: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path / "cache")
    first = reading.read_all(files, cache, processes=1, progress=None)
    monkeypatch.setattr(reading, "extract", None)
    assert reading.read_all(files, cache, processes=1, progress=None) == first


def test_what_the_cache_holds_in_another_form_is_read_again(files: list[Source], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    for source in files:
        cache.put(source, b"\x93 of another version")
    assert len(ids(reading.read_all(files, cache, processes=1, progress=None))) == 4


def test_a_file_that_is_gone_is_listed(files: list[Source]) -> None:
    files[0].path.unlink()
    (item,) = unpack(reading.read_one(files[0], Cache(None))).skipped
    assert (item.place.file, item.why) == (files[0].shown, "cannot be read: no such file or directory")


def test_a_failure_is_not_kept(files: list[Source], tmp_path: Path) -> None:
    content = files[0].path.read_bytes()
    files[0].path.unlink()
    cache = Cache(tmp_path / "cache")
    reading.read_one(files[0], cache)
    files[0].path.write_bytes(content)
    assert unpack(reading.read_one(files[0], cache)).skipped == []

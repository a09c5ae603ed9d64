from __future__ import annotations

import os
from pathlib import Path

import pytest

from readers.transcripts import FIXTURES, OTHER, SESSION, assistant, lanes, line, user, write
from underspend.core.history import History
from underspend.readers.claude_code import read_history


def tokens(history: History) -> dict[str, tuple[int, ...]]:
    return lanes(reply for _, reply in history.replies())


def test_real_transcripts_of_five_clients() -> None:
    found = read_history([FIXTURES])
    assert (found.skipped, found.unknown) == ([], {})
    assert len(found.files) == 5
    sums = [sum(column) for column in zip(*tokens(found).values(), strict=True)]
    # What ccusage 20.0.24 says of the same files.
    assert (len(tokens(found)), sums) == (16, [225, 104539, 0, 308622, 1948])


def test_the_cache_changes_nothing(tmp_path: Path) -> None:
    first = read_history([FIXTURES], cache=tmp_path)
    assert first == read_history([FIXTURES], cache=tmp_path) == read_history([FIXTURES])


def test_a_damaged_cache_is_rebuilt(tmp_path: Path) -> None:
    first = read_history([FIXTURES], cache=tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-20])
    assert read_history([FIXTURES], cache=tmp_path) == first


def test_a_file_that_grew_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "logs", f"{SESSION}.jsonl", assistant("msg_1"))
    read_history([tmp_path / "logs"], cache=tmp_path / "cache")
    with path.open("ab") as stream:
        stream.write(line(assistant("msg_2")) + b"\n")
    assert set(tokens(read_history([tmp_path / "logs"], cache=tmp_path / "cache"))) == {"msg_1", "msg_2"}


def test_a_file_that_is_being_written(tmp_path: Path) -> None:
    path = write(tmp_path, f"{SESSION}.jsonl", assistant("msg_1"))
    with path.open("ab") as stream:
        stream.write(line(assistant("msg_2"))[:80])
    found = read_history([tmp_path])
    assert set(tokens(found)) == {"msg_1"}
    assert [(item.place.line, item.why) for item in found.skipped] == [(2, "the last line is not finished")]


def test_a_line_of_50_megabytes(tmp_path: Path) -> None:
    large = user([{"type": "tool_result", "tool_use_id": "t1", "content": "x" * 50_000_000}])
    write(tmp_path, f"{SESSION}.jsonl", assistant("msg_1"), large, assistant("msg_2"))
    found = read_history([tmp_path])
    assert set(tokens(found)) == {"msg_1", "msg_2"}
    assert found.skipped == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_closed_file_is_listed(tmp_path: Path) -> None:
    write(tmp_path, "closed.jsonl", assistant("msg_1")).chmod(0)
    write(tmp_path, "open.jsonl", assistant("msg_2"))
    found = read_history([tmp_path])
    assert set(tokens(found)) == {"msg_2"}
    assert len(found.skipped) == 1


def test_nothing_is_written_beside_the_transcripts(tmp_path: Path) -> None:
    path = write(tmp_path / "projects" / "work", f"{SESSION}.jsonl", assistant("msg_1"))
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    read_history([tmp_path])
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "projects", path.parent, path]


def test_since_leaves_out_whole_files(tmp_path: Path) -> None:
    old = write(tmp_path, f"{SESSION}.jsonl", assistant("msg_1"))
    write(tmp_path, f"{OTHER}.jsonl", assistant("msg_2"))
    os.utime(old, (1000, 1000))
    assert set(tokens(read_history([tmp_path], since=2000 * 10**6))) == {"msg_2"}


def test_no_roots_no_history() -> None:
    assert read_history([]) == History()

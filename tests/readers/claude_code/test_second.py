from __future__ import annotations

import sys
from pathlib import Path

import pytest

from readers.transcripts import assistant, write
from underspend.readers.claude_code.cache import Cache
from underspend.readers.claude_code.records import unpack
from underspend.readers.claude_code.roots import sources
from underspend.readers.claude_code.second import Second

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no second process")


def parts_of(folder: Path, count: int) -> list[list[object]]:
    for number in range(count):
        write(folder, f"{number}.jsonl", assistant(f"msg_{number}"))
    return [[source] for source in sources([folder])[0]]


def test_it_reads_what_the_first_leaves(tmp_path: Path) -> None:
    parts = parts_of(tmp_path / "logs", 3)
    with Second(parts, Cache(None)) as second:
        second.wait()
        assert list(second.shares()) == []
        found = [unpack(packed).parts[0].answered[0].message_id for _, packed in second.finished()]
        assert sorted(found) == ["msg_0", "msg_1", "msg_2"]
        assert list(second.finished()) == []


def test_what_it_is_not_quick_enough_for_is_the_firsts(tmp_path: Path) -> None:
    parts = parts_of(tmp_path / "logs", 3)
    with Second(parts, Cache(None)) as second:
        mine = list(second.shares())
        second.wait()
        assert len(mine) + len(list(second.finished())) == 3


def test_without_it_all_is_the_firsts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    with Second(parts_of(tmp_path / "logs", 3), Cache(None)) as second:
        assert list(second.shares()) == [0, 1, 2]
        second.wait()
        assert list(second.finished()) == []


def test_it_is_stopped_when_the_first_fails(tmp_path: Path) -> None:
    second = Second(parts_of(tmp_path / "logs", 3), Cache(None))
    with pytest.raises(KeyboardInterrupt), second:
        raise KeyboardInterrupt
    assert second._process is not None
    assert second._process.poll() is not None

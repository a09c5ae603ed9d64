from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from readers.transcripts import source
from underspend.readers.claude_code.cache import Cache

SOURCE = source()


def test_what_was_put_is_there(tmp_path: Path) -> None:
    Cache(tmp_path / "new" / "folder").put(SOURCE, b"packed")
    assert Cache(tmp_path / "new" / "folder").get(SOURCE) == b"packed"


@pytest.mark.parametrize("change", [{"size": 9}, {"modified": 9}, {"inode": 9}, {"raw_path": b"/other"}], ids=repr)
def test_a_file_in_another_state_is_absent(tmp_path: Path, change: dict[str, int]) -> None:
    cache = Cache(tmp_path)
    cache.put(SOURCE, b"packed")
    assert cache.get(replace(SOURCE, **change)) is None


@pytest.mark.parametrize("cut", [0, 1, 30, -1])
def test_a_corrupt_file_is_absent(tmp_path: Path, cut: int) -> None:
    cache = Cache(tmp_path)
    cache.put(SOURCE, b"packed")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:cut])
    assert cache.get(SOURCE) is None


def test_a_changed_byte_is_seen(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put(SOURCE, b"packed")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert cache.get(SOURCE) is None


def test_none_is_none() -> None:
    cache = Cache(None)
    cache.put(SOURCE, b"packed")
    assert cache.get(SOURCE) is None


def test_a_folder_that_cannot_be_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "below")
    cache.put(SOURCE, b"packed")
    assert cache.get(SOURCE) is None


def test_only_its_owner_may_look(tmp_path: Path) -> None:
    Cache(tmp_path / "cache").put(SOURCE, b"packed")
    (path,) = (tmp_path / "cache").iterdir()
    assert (path.stat().st_mode & 0o077, path.parent.stat().st_mode & 0o077) == (0, 0)

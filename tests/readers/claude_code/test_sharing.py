from __future__ import annotations

import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from readers.transcripts import source
from underspend.readers.claude_code.sharing import LENGTH, NUMBER, Task, batches, cache_of, numbers, write_result


@given(st.lists(st.integers(0, 5_000_000), max_size=50))
def test_batches_hold_every_file_once_large_ones_first(sizes: list[int]) -> None:
    files = [replace(source(f"/{number}"), size=size) for number, size in enumerate(sizes)]
    parts = batches(files)
    flat = [item for part in parts for item in part]
    assert sorted(flat, key=lambda item: item.raw_path) == sorted(files, key=lambda item: item.raw_path)
    assert [item.size for item in flat] == sorted(sizes, reverse=True)
    assert all(len(part) == 1 or sum(item.size for item in part) <= 2_000_000 for part in parts)


def test_each_number_is_given_once() -> None:
    queue, feed = os.pipe()
    os.write(feed, b"".join(NUMBER.pack(number) for number in range(5)))
    os.close(feed)
    first, second = numbers(queue), numbers(queue)
    assert [next(first), next(second), *first, *second] == [0, 1, 2, 3, 4]
    os.close(queue)


def test_a_result_is_framed() -> None:
    stream = BytesIO()
    write_result(stream, b"/p", b"packed")
    assert stream.getvalue() == LENGTH.pack(2, 6) + b"/ppacked"


def test_the_cache_is_the_same() -> None:
    assert cache_of(Task(0, None, [])).folder is None
    assert cache_of(Task(0, b"/cache", [])).folder == Path("/cache")

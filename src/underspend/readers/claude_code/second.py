"""A second process that reads a part of the files.

The numbers of the batches lie in a pipe from which both processes take the next one, so that neither waits for the
other at the end, and nothing is lost where the second never starts. Files and results are passed in nameless
temporary files, because pipes would hold up whoever writes first.
"""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from underspend.readers.claude_code.cache import Cache
from underspend.readers.claude_code.records import Source

_SMALL = 2_000_000
_MOST_BATCHES = 4_000
_NUMBER = struct.Struct("<I")
_LENGTH = struct.Struct("<II")


class Task(msgspec.Struct, array_like=True):
    """What the second process is told."""

    queue: int
    cache: bytes | None
    parts: list[list[Source]]


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Task).decode


def batches(sources: Sequence[Source]) -> list[list[Source]]:
    """The files in portions of work, large ones first."""
    least = max(_SMALL, sum(source.size for source in sources) // _MOST_BATCHES)
    parts: list[list[Source]] = [[]]
    size = 0
    for source in sorted(sources, key=lambda source: -source.size):
        if parts[-1] and size + source.size > least:
            parts.append([])
            size = 0
        parts[-1].append(source)
        size += source.size
    return parts


def numbers(queue: int) -> Iterator[int]:
    """The batches that are still free, one by one, each given to one process alone."""
    while len(taken := os.read(queue, _NUMBER.size)) == _NUMBER.size:
        yield _NUMBER.unpack(taken)[0]


def write_result(stream: IO[bytes], path: bytes, packed: bytes) -> None:
    """Hand one extract over."""
    stream.write(_LENGTH.pack(len(path), len(packed)))
    stream.write(path)
    stream.write(packed)


class Second:
    """The second process, as the first one sees it. On Windows there is none, and every batch is the first's."""

    def __init__(self, parts: list[list[Source]], cache: Cache) -> None:
        self._parts = parts
        self._cache = cache
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._queue, feed = os.pipe()
        os.write(feed, b"".join(_NUMBER.pack(number) for number in range(len(self._parts))))
        os.close(feed)
        self._told = tempfile.TemporaryFile()
        self._answers = tempfile.TemporaryFile()
        if os.name == "posix":
            self._start()
        return self

    def _start(self) -> None:
        folder = self._cache.folder
        task = Task(self._queue, None if folder is None else os.fsencode(folder), self._parts)
        self._told.write(encode(task))
        self._told.seek(0)
        with contextlib.suppress(OSError):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "underspend.readers.claude_code.worker"],
                stdin=self._told,
                stdout=self._answers,
                stderr=subprocess.DEVNULL,
                pass_fds=(self._queue,),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )

    def shares(self) -> Iterator[int]:
        """The batches that fall to the first process."""
        return numbers(self._queue)

    def results(self) -> Iterator[tuple[bytes, bytes]]:
        """What the second process read: paths with their packed extracts. Incomplete where it failed."""
        if self._process is not None:
            self._process.wait()
        self._answers.seek(0)
        while len(head := self._answers.read(_LENGTH.size)) == _LENGTH.size:
            path_length, length = _LENGTH.unpack(head)
            path, packed = self._answers.read(path_length), self._answers.read(length)
            if len(packed) < length:
                return
            yield path, packed

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._queue)
        self._told.close()
        self._answers.close()


def cache_of(task: Task) -> Cache:
    """The cache that the second process writes to."""
    return Cache(None if task.cache is None else Path(os.fsdecode(task.cache)))

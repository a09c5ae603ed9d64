"""A second process that reads a part of the files.

The numbers of the batches lie in a pipe from which both processes take the next one, so that neither waits for the
other at the end, and nothing is lost where the second never starts. Files and results are passed in nameless
temporary files, because pipes would hold up whoever writes first.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from underspend.readers.claude_code.cache import Cache
from underspend.readers.claude_code.records import Source
from underspend.readers.claude_code.sharing import LENGTH, NUMBER, Task, encode, numbers

_START = "from underspend.readers.claude_code.worker import main; main()"


class Second:
    """The second process, as the first one sees it. On Windows there is none, and every batch is the first's."""

    def __init__(self, parts: list[list[Source]], cache: Cache) -> None:
        self._parts = parts
        self._cache = cache
        self._process: subprocess.Popen[bytes] | None = None
        self._taken = 0

    def __enter__(self) -> Self:
        self._queue, feed = os.pipe()
        os.write(feed, b"".join(NUMBER.pack(number) for number in range(len(self._parts))))
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
            self._process = subprocess.Popen(  # noqa: S603  (this very interpreter, nothing from outside)
                [sys.executable, "-S", "-c", _START],
                stdin=self._told,
                stdout=self._answers,
                stderr=subprocess.DEVNULL,
                pass_fds=(self._queue,),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )

    def shares(self) -> Iterator[int]:
        """The batches that fall to the first process."""
        return numbers(self._queue)

    def finished(self) -> Iterator[tuple[bytes, bytes]]:
        """What the second process has read since last asked: paths with their packed extracts."""
        size = os.fstat(self._answers.fileno()).st_size
        while self._taken + LENGTH.size <= size:
            # Read at a place, because both processes share the file's position.
            path_length, length = LENGTH.unpack(os.pread(self._answers.fileno(), LENGTH.size, self._taken))
            begin = self._taken + LENGTH.size
            if begin + path_length + length > size:
                return
            path = os.pread(self._answers.fileno(), path_length, begin)
            packed = os.pread(self._answers.fileno(), length, begin + path_length)
            self._taken = begin + path_length + length
            yield path, packed

    def wait(self) -> None:
        """Let the second process end."""
        if self._process is not None:
            self._process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._queue)
        self._told.close()
        self._answers.close()

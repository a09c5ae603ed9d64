"""Where records are durable at once: a file they are appended to before the database has them.

Appending a line takes a microsecond and one system call, a commit a hundred times as much; so calls wait for the line
only, and the database gets many records in one commit. What is in the file outlives the process (not the loss of
power: see `[ledger] durability`). After a kill the next start writes it to the database.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from underspend.stores.spool import Record, line_of, read_lines

_TURN_BYTES = 4 * 1024 * 1024


class Journal:
    """Two files used in turn: one is written while the records of the other get into the database.

    `append` is called by those who have records, `forget` by the writer with the number of records that are safe
    elsewhere by now; both count from the first record on.
    """

    def __init__(self, path: Path) -> None:
        self._paths = (path, path.with_name(f"{path.name}.1"))
        self._files: list[int] = []
        self._sizes = [0, 0]
        self._torn = [False, False]  # whether a file may end in half a line, of a crash or of a full disk
        self._last = [0, 0]
        self._active = 0
        self._count = 0
        self._lock = threading.Lock()

    def open(self) -> None:
        """Begin to write. Raises OSError where the files cannot be made."""
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
        with contextlib.ExitStack() as half_way:
            files = []
            for path in self._paths:
                files.append(os.open(path, flags, 0o600))
                half_way.callback(os.close, files[-1])
            half_way.pop_all()
        self._files, self._sizes = files, [os.fstat(file).st_size for file in files]
        self._torn = [size > 0 for size in self._sizes]

    def close(self) -> None:
        """Stop writing; files in which nothing is left are removed."""
        with self._lock:
            files, self._files = self._files, []
            for path, file in zip(self._paths, files, strict=False):  # there are none where it was never opened
                is_empty = os.fstat(file).st_size == 0
                os.close(file)
                if is_empty:
                    path.unlink(missing_ok=True)

    def append(self, record: Record) -> bool:
        """Write a record down; whether it is durable now."""
        with self._lock:
            self._count += 1
            if not self._files:
                return False
            if self._sizes[self._active] > _TURN_BYTES and not self._sizes[1 - self._active]:
                self._active = 1 - self._active
            self._last[self._active] = self._count
            line = b"\n" * self._torn[self._active] + line_of(record)
            try:
                written = os.write(self._files[self._active], line)
            except OSError:
                return False
            self._sizes[self._active] += written
            self._torn[self._active] = written != len(line)
            return written == len(line)

    def forget(self, count: int) -> None:
        """The first `count` records need not be kept any longer."""
        with self._lock:
            for which, file in enumerate(self._files):
                if self._sizes[which] and self._last[which] <= count:
                    with contextlib.suppress(OSError):
                        os.ftruncate(file, 0)
                        self._sizes[which] = 0
                        self._torn[which] = False

    def left(self) -> list[Record]:
        """The records that a process before this one wrote down and did not forget."""
        return [record for path in self._paths for record in read_lines(path)]

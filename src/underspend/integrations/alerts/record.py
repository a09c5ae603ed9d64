"""What was sent and what was not, as lines of JSON in the data folder: for `underspend alerts`, and for the next start.

Two files of at most 1 MB: when one is full it takes the place of the older. No secret and no address is in them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from underspend.core.alerts import Alert

NAME = "alerts.jsonl"
_TURN_BYTES = 1024 * 1024


class State(StrEnum):
    """What became of an alert at one place. `dropped` are those there was no room for, or no time at the end."""

    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One alert at one place, `at` microseconds since the epoch, after so many tries. `error` is empty when sent."""

    at: int
    to: str
    state: State
    alert: Alert
    tries: int = 1
    error: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Sent).decode


class Record:
    """The two files, for any number of threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._old = folder / f"{NAME}.1"
        self._lock = threading.Lock()

    def add(self, sent: Sent) -> None:
        """Write a line. Raises OSError where that cannot be done."""
        line = _encode(sent) + b"\n"
        with self._lock:
            file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
            try:
                os.write(file, line)
                is_full = os.fstat(file).st_size >= _TURN_BYTES
            finally:
                os.close(file)
            if is_full:
                self._path.replace(self._old)

    def read(self) -> Iterator[Sent]:
        """Everything, oldest first. Lines that cannot be read are left out, and so is a file that is not there."""
        for path in (self._old, self._path):
            try:
                lines = path.read_bytes().splitlines()
            except OSError:
                continue
            for line in lines:
                try:
                    yield _decode(line)
                except (msgspec.DecodeError, ValueError):
                    continue

"""Time as the fake provider sees it: the machine's clock plus whatever a test has added."""

from __future__ import annotations

import time
from datetime import UTC, datetime

SECOND = 1_000_000


class FakeClock:
    """Microseconds since the epoch. Runs with the machine, or stands still when built with `at`.

    `advance` moves either kind forward, so five minutes of cache lifetime pass in no time.
    """

    def __init__(self, at: int | None = None) -> None:
        self._at = at
        self._offset = 0

    def now(self) -> int:
        """The current time in microseconds since the epoch."""
        base = time.time_ns() // 1000 if self._at is None else self._at
        return base + self._offset

    def advance(self, seconds: float) -> int:
        """Moves the clock forward and gives the new time. Raises ValueError when asked to go back."""
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        self._offset += round(seconds * SECOND)
        return self.now()


def rfc3339(micros: int, *, whole_seconds: bool = False) -> str:
    """A time as the API writes it: `2026-11-20T07:00:00.000000Z`, or to the second for rate-limit headers."""
    moment = datetime.fromtimestamp(micros / SECOND, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ" if whole_seconds else "%Y-%m-%dT%H:%M:%S.%fZ")

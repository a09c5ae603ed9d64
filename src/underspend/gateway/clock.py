"""The real time."""

from __future__ import annotations

import time


class SystemClock:
    """A Clock that reads the machine's."""

    def now(self) -> int:
        """Microseconds since the epoch."""
        return time.time_ns() // 1_000


def elapsed_us() -> int:
    """Microseconds on a clock that never jumps, for durations."""
    return time.perf_counter_ns() // 1_000

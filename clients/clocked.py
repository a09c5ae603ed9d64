"""A gateway on a clock that can be moved: `python clocked.py <file with an offset> <home> <upstream>`.

The file holds microseconds that are added to the machine's time; whoever writes it moves the gateway.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from underspend.config import load
from underspend.gateway.serve import Parts, serve
from underspend.testing.demo import ReplayClock
from underspend.web.app import create


class SharedClock(ReplayClock):
    """A clock that tells its offset to a gateway in another process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        super().__init__()

    @property
    def _offset(self) -> int:
        return self._own

    @_offset.setter
    def _offset(self, value: int) -> None:
        self._own = value
        beside = self._file.with_suffix(".new")
        beside.write_text(str(value))
        beside.replace(self._file)


class FollowingClock:
    """The other end of it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> int:
        return time.time_ns() // 1_000 + int(self._file.read_text())


def main() -> None:
    offset, home, upstream = sys.argv[1:]
    settings = load(home=Path(home), flags={"gateway.port": 0, "upstream.anthropic": upstream})
    clock = FollowingClock(Path(offset))

    def dashboard(parts: Parts):
        return create(engine=parts.engine, live=parts.live, status=parts.status, settings=settings, now=clock.now)

    serve(settings, dashboard, lambda url: sys.stdout.write(f"{url}\n") and sys.stdout.flush(), clock=clock)


if __name__ == "__main__":
    main()

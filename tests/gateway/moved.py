"""A gateway whose clock another process moves: seconds to add to the machine's time stand in a file.

Run as `python moved.py HOME UPSTREAM FILE`; it prints its address.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from underspend.config import load
from underspend.gateway.serve import serve
from underspend.web.app import create


class MovedClock:
    def __init__(self, file):
        self._file = Path(file)

    def now(self):
        return time.time_ns() // 1000 + int(self._file.read_text() or 0) * 1_000_000


def main(home, upstream, file):
    clock = MovedClock(file)
    flags = {"gateway.port": 0, "upstream.anthropic": upstream}

    def dashboard(parts):
        return create(engine=parts.engine, live=parts.live, status=parts.status, settings=parts.settings, now=clock.now)

    def say(url):
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()

    settings = load(home=Path(home), flags=flags, environ={})
    serve(settings, dashboard, say, clock=clock)


if __name__ == "__main__":
    main(*sys.argv[1:])

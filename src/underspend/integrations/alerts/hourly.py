"""Looking at weeks and months every hour, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from underspend.core.alerts import Alert, Tells
from underspend.core.ports import Clock

HOUR_SECONDS = 3600.0
_FIRST_SECONDS = 60.0
"""The first look waits until a start is over."""


class Hourly:
    """Tells what `look` finds at an instant (µs since the epoch): a minute after it is opened, then every hour."""

    def __init__(  # noqa: PLR0913  # what it looks at, whom it tells, and when
        self,
        look: Callable[[int], Sequence[Alert]],
        tells: Tells,
        clock: Clock,
        *,
        on_fault: Callable[[str, str], None] = lambda *_: None,
        first: float = _FIRST_SECONDS,
        every: float = HOUR_SECONDS,
    ) -> None:
        self._look = look
        self._tells = tells
        self._clock = clock
        self._on_fault = on_fault
        self._first = first
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weeks and months", daemon=True)

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; a look that is under way is not waited for longer than a second."""
        self._stop.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        wait = self._first
        while not self._stop.wait(wait):
            wait = self._every
            try:
                for alert in self._look(self._clock.now()):
                    self._tells.tell(alert)
            except Exception as error:  # noqa: BLE001  # fail open: the next hour may do better
                self._on_fault("alerts", f"weeks and months: {type(error).__name__}")

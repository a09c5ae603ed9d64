"""Keeping the shares of a plan's limits that pass by in replies: off the path of calls, and only what is new."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Protocol

from underspend.core.ports import Clock
from underspend.core.quota import Share, Window
from underspend.formats.plan_limits import of_headers
from underspend.gateway.transport import RawHeaders


class Notes(Protocol):
    """Where readings are kept."""

    def note(self, shares: Iterable[Share]) -> None:
        """Keep those that say something new."""


class PlanLimits:
    """Hands readings to `notes` in a thread of `worker`; a share that has not changed is not handed over again."""

    def __init__(self, notes: Notes, worker: Executor, clock: Clock, on_fault: Callable[[str, str], None]) -> None:
        self._notes = notes
        self._worker = worker
        self._clock = clock
        self._on_fault = on_fault
        self._last: dict[Window, tuple[int, int]] = {}

    def see(self, headers: RawHeaders) -> None:
        """Take in the headers of a reply. Whatever fails here, the reply goes on."""
        try:
            new = [each for each in of_headers(headers, self._clock.now()) if self._is_new(each)]
            if new:
                self._worker.submit(self._note, new)
        except Exception as error:  # noqa: BLE001  # fail open: a reading is lost, a reply may not be
            self._on_fault("plan limits", f"{type(error).__name__}: {error}")

    def _is_new(self, share: Share) -> bool:
        said = (share.used_permille, share.resets_at)
        if self._last.get(share.window) == said:
            return False
        self._last[share.window] = said
        return True

    def _note(self, shares: list[Share]) -> None:
        try:
            self._notes.note(shares)
        except Exception as error:  # noqa: BLE001  # as above
            self._on_fault("plan limits", f"{type(error).__name__}: {error}")

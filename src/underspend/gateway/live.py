"""Settled calls, told to whoever listens: the page's live tail and `underspend tail`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

Row = Mapping[str, object]
_BACKLOG = 256


class Live:
    """A broadcast. A listener that does not keep up loses the oldest rows, never slows the gateway."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Row | None]] = set()

    def publish(self, row: Row) -> None:
        """Tell every listener; returns at once."""
        self._tell(row)

    def close(self) -> None:
        """End every listener's subscription: an open page may not hold up the gateway's stop."""
        self._tell(None)

    def _tell(self, row: Row | None) -> None:
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(row)

    @property
    def heard(self) -> bool:
        """Whether anyone listens."""
        return bool(self._listeners)

    async def subscribe(self) -> AsyncIterator[Row]:
        """Rows from now on, until the listener stops or `close` is called."""
        queue: asyncio.Queue[Row | None] = asyncio.Queue(_BACKLOG)
        self._listeners.add(queue)
        try:
            while (row := await queue.get()) is not None:
                yield row
        finally:
            self._listeners.discard(queue)

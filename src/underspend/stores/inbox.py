"""Records on their way to the writer's thread, which is woken once for many: waking it costs more than a record."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """Filled by any thread, emptied by one. `most` items are as many as are held back."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: list[Item] = []
        self._lock = threading.Lock()
        self._some, self._due = threading.Event(), threading.Event()

    def put(self, item: Item, *, urgent: bool = False) -> None:
        """Add an item. An `urgent` one is taken at once, with all before it."""
        with self._lock:
            self._items.append(item)
            count = len(self._items)
        if count == 1:
            self._some.set()
        if urgent or count >= self._most:
            self._due.set()

    def take(self, *, hold: float, idle: float | None = None) -> list[Item]:
        """All items, in order, `hold` seconds after the first came or as soon as they are many or urgent.

        Waits for a first one; after `idle` seconds without any the list is empty.
        """
        if not self._some.wait(idle):
            return []
        self._due.wait(hold)
        with self._lock:
            items, self._items = self._items, []
            self._some.clear()
            self._due.clear()
        return items

"""Replies kept in memory: the twin of the other stores, and a cache that ends with the process."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from underspend.core.replies import Found, Listed, Stock, StoredReply


@dataclass(slots=True)
class _Held:
    row: StoredReply
    used_at: int
    hits: int = 0


class MemoryReplies:
    """A ReplyStore in plain dictionaries, of at most `bound` bytes of bodies."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._rows: OrderedDict[bytes, _Held] = OrderedDict()  # the longest unused first
        self._ends: list[tuple[int, bytes]] = []
        self._size = 0
        self._clears = 0
        self._cleared: dict[str | None, int] = {}

    async def get(self, key: bytes, tenant: str, now: int, *, use: bool = True) -> Found:
        """The row of a key. That counts as a use of it, unless `use` says otherwise."""
        held = self._rows.get(key)
        if held is None or held.row.tenant != tenant:
            return Found(None, self._clears)
        if held.row.expires_at <= now:
            self._forget(key)
            return Found(None, self._clears)
        if use:
            held.hits += 1
            held.used_at = now
            self._rows.move_to_end(key)
        return Found(held.row, self._clears)

    async def put(self, row: StoredReply, clears: int) -> bool:
        """Keeps a row, unless it is too large or was cleared since `clears`."""
        size = len(row.body)
        if size > self._bound or any(self._cleared.get(tag, 0) > clears for tag in (None, *row.tags)):
            return False
        self._forget(row.key)
        self._purge(row.kept_at)
        while self._size + size > self._bound:
            self._forget(next(iter(self._rows)))
        self._rows[row.key] = _Held(row, row.kept_at)
        heapq.heappush(self._ends, (row.expires_at, row.key))
        self._size += size
        return True

    async def clear(self, tag: str | None = None) -> int:
        """Forgets all rows with a tag, or all."""
        self._clears += 1
        self._cleared[tag] = self._clears
        gone = [key for key, held in self._rows.items() if tag is None or tag in held.row.tags]
        for key in gone:
            self._forget(key)
        return len(gone)

    async def remove(self, key: bytes) -> bool:
        """Forgets one row."""
        return self._forget(key)

    async def listed(self, *, now: int, limit: int = 100, tag: str | None = None) -> Sequence[Listed]:
        """The rows that still answer, those used last first."""
        alive = [held for held in self._alive(now) if tag is None or tag in held.row.tags]
        alive.sort(key=lambda held: (-held.used_at, held.row.key))
        return [_shown(held) for held in alive[:limit]]

    async def stock(self, now: int) -> Stock:
        """What is held and still answers."""
        alive = list(self._alive(now))
        size = sum(len(held.row.body) for held in alive)
        return Stock(rows=len(alive), size=size, hits=sum(held.hits for held in alive), bound=self._bound)

    async def close(self) -> None:
        """Nothing waits here."""

    def _alive(self, now: int) -> Iterator[_Held]:
        return (held for held in self._rows.values() if held.row.expires_at > now)

    def _purge(self, now: int) -> None:
        while self._ends and self._ends[0][0] <= now:
            at, key = heapq.heappop(self._ends)
            held = self._rows.get(key)
            if held is not None and held.row.expires_at == at:
                self._forget(key)

    def _forget(self, key: bytes) -> bool:
        held = self._rows.pop(key, None)
        self._size -= len(held.row.body) if held is not None else 0
        return held is not None


def _shown(held: _Held) -> Listed:
    row = held.row
    return Listed(
        key=row.key,
        tenant=row.tenant,
        kept_at=row.kept_at,
        expires_at=row.expires_at,
        model=row.model,
        tags=row.tags,
        cost=row.cost,
        size=len(row.body),
        hits=held.hits,
        used_at=held.used_at,
    )

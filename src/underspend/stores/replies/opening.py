"""Which store serves the response cache, from the user's settings. What is at rest is always sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from underspend.core.replies import ReplyStore, ReplyStoreError
from underspend.stores.replies.keys import key_in_file, key_in_keyring
from underspend.stores.replies.memory import MemoryReplies
from underspend.stores.replies.sealed import AesGcm, SealedReplies, Sealer

KeyPlace = Literal["file", "keyring"]
_FILE, _KEY_FILE = "replies.sqlite3", "replies.key"


def open_replies(url: str, *, folder: Path, bound: int, key: KeyPlace = "file") -> ReplyStore:
    """The store at a URL: "" is SQLite in the data folder, "memory:" ends with the process, redis:// is shared.

    Raises ReplyStoreError where it, or the key, cannot be used.
    """
    if url == "memory:":
        return MemoryReplies(bound)
    if url == "":
        from underspend.stores.replies.sqlite import SqliteReplies

        sealer = sealer_in(folder, key)
        return SealedReplies(SqliteReplies(replies_file(folder), bound), sealer)
    if url.startswith(("redis://", "rediss://", "unix://")):
        from underspend.stores.replies.redis import RedisReplies

        return SealedReplies(RedisReplies(url, bound), sealer_in(folder, key))
    scheme = url.partition(":")[0]
    raise ReplyStoreError(path=f"{scheme}:", problem='it is neither "", memory:, redis://, rediss:// nor unix://')


def sealer_in(folder: Path, key: KeyPlace) -> Sealer:
    """What seals with this installation's key. Replicas that share a store need the same key file or keyring entry."""
    return AesGcm(key_in_keyring() if key == "keyring" else key_in_file(folder / _KEY_FILE))


def replies_file(folder: Path) -> Path:
    """The SQLite file of the data folder."""
    return folder / _FILE

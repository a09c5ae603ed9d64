"""The store of holds that a configuration names. Each kind is imported only where it is used."""

from __future__ import annotations

from pathlib import Path

from underspend.core.holds import Holds, HoldsError

FILE = "holds.sqlite3"
_SHARED = "sqlite:///"


def open_holds(url: str, folder: Path, *, prefix: str = "underspend:holds", power_safe: bool = False) -> Holds:
    """The store of a URL: "" for SQLite in the data folder, sqlite:///PATH, memory:, redis://, rediss://, unix://.

    `prefix` tells installations on one Redis apart, `power_safe` is for SQLite. Raises HoldsError when the store cannot
    be opened or the URL is of no kind that is known.
    """
    kind = url.partition(":")[0]
    if not url or url.startswith(_SHARED):
        from underspend.stores.holds.sqlite import SqliteHolds

        return SqliteHolds(Path(url.removeprefix(_SHARED)) if url else folder / FILE, power_safe=power_safe)
    if kind == "memory":
        from underspend.stores.holds.memory import MemoryHolds

        return MemoryHolds()
    if kind in {"redis", "rediss", "unix"}:
        from underspend.stores.holds.redis import RedisHolds

        return RedisHolds(url, prefix=prefix)
    raise HoldsError(where=f"{kind}:…", problem="a store of holds is a SQLite file, memory:, or Redis by its URL")

"""Replies kept in a SQLite file of their own, beside the ledger: it may be deleted at any time.

Reading is done where the caller is (tens of microseconds; in WAL mode no writer holds it up). Writing is done in a
thread. That a row was used is written with the next change, or when fifty uses wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from underspend.core.replies import Found, Listed, ReplyStoreError, Stock, StoredReply

_VERSION = 1
_USES_WAITING = 50
_BUSY_SECONDS = 5
_READ_SECONDS = 0.05  # reading waits for nobody but a file that is being recovered, and callers do not wait for that
_T = TypeVar("_T")
_Uses = dict[bytes, tuple[int, int]]

_TABLE = """CREATE TABLE replies (
    key BLOB PRIMARY KEY, tenant TEXT NOT NULL, kept_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    model TEXT NOT NULL, tags TEXT NOT NULL, cost_pico INTEGER NOT NULL, size INTEGER NOT NULL,
    hits INTEGER NOT NULL DEFAULT 0, used_at INTEGER NOT NULL, body BLOB NOT NULL
)"""
_LESS = """CREATE TRIGGER less AFTER DELETE ON replies BEGIN
    UPDATE sums SET size = size - OLD.size;
    DELETE FROM tags WHERE key = OLD.key;
END"""
_SCHEMA = (
    _TABLE,
    "CREATE INDEX replies_used ON replies (used_at, key, size)",
    "CREATE INDEX replies_expire ON replies (expires_at)",
    "CREATE TABLE tags (tag TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (tag, key)) WITHOUT ROWID",
    "CREATE INDEX tags_of ON tags (key)",
    "CREATE TABLE cleared (tag TEXT PRIMARY KEY, clears INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE sums (size INTEGER NOT NULL, clears INTEGER NOT NULL)",
    "INSERT INTO sums VALUES (0, 0)",
    "CREATE TRIGGER more AFTER INSERT ON replies BEGIN UPDATE sums SET size = size + NEW.size; END",
    _LESS,
    f"PRAGMA user_version={_VERSION}",
)
_ALL = ""  # in `cleared`, what was cleared when everything was; no tag is empty
_ROW = "key, tenant, kept_at, expires_at, model, tags, cost_pico"
_GET = f"SELECT {_ROW}, body FROM replies WHERE key = ? AND tenant = ? AND expires_at > ?"  # noqa: S608  # our own names
_LIST = f"SELECT {_ROW}, size, hits, used_at FROM replies WHERE expires_at > ?"  # noqa: S608  # as above
_WITH_TAG = " AND key IN (SELECT key FROM tags WHERE tag = ?)"


class SqliteReplies:
    """A ReplyStore in a SQLite file (mode 600), of at most `bound` bytes of bodies. Several processes may share it."""

    def __init__(self, path: Path, bound: int) -> None:
        self._path = path
        self._bound = bound
        self._uses: _Uses = {}
        self._writing = threading.Lock()
        self._writer = self._guarded(lambda: self._opened(_BUSY_SECONDS))
        self._reader = self._guarded(lambda: self._opened(_READ_SECONDS))

    async def get(self, key: bytes, tenant: str, now: int, *, use: bool = True) -> Found:
        """The row of a key. That counts as a use of it, unless `use` says otherwise."""
        clears, values = self._guarded(lambda: self._look(key, tenant, now))
        if values is None:
            return Found(None, clears)
        if use:
            self._count(key, now)
        return Found(StoredReply(**_named(values), body=values[-1]), clears)

    async def put(self, row: StoredReply, clears: int) -> bool:
        """Keeps a row, unless it is too large or was cleared since `clears`."""
        return await self._write(lambda db: self._put(db, row, clears))

    async def clear(self, tag: str | None = None) -> int:
        """Forgets all rows with a tag, or all."""
        return await self._write(lambda db: _clear(db, tag))

    async def remove(self, key: bytes) -> bool:
        """Forgets one row."""
        return await self._write(lambda db: db.execute("DELETE FROM replies WHERE key = ?", (key,)).rowcount > 0)

    async def listed(self, *, now: int, limit: int = 100, tag: str | None = None) -> Sequence[Listed]:
        """The rows that still answer, those used last first."""
        await self._write(lambda _: None)
        where, values = ("", (now, limit)) if tag is None else (_WITH_TAG, (now, tag, limit))
        query = f"{_LIST}{where} ORDER BY used_at DESC, key LIMIT ?"
        found = self._guarded(lambda: self._reader.execute(query, values).fetchall())
        return [Listed(**_named(row), size=row[7], hits=row[8], used_at=row[9]) for row in found]

    async def stock(self, now: int) -> Stock:
        """What is held and still answers."""
        await self._write(lambda _: None)
        query = "SELECT count(*), coalesce(sum(size), 0), coalesce(sum(hits), 0) FROM replies WHERE expires_at > ?"
        rows, size, hits = self._guarded(lambda: self._reader.execute(query, (now,)).fetchone())
        return Stock(rows=rows, size=size, hits=hits, bound=self._bound)

    async def close(self) -> None:
        """Writes which rows were used, and lets go of the file."""
        await self._write(lambda _: None)
        self._reader.close()
        self._writer.close()

    def _opened(self, seconds: float) -> sqlite3.Connection:
        make_private(self._path)
        db = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("PRAGMA secure_delete=ON")
            self._bring_to_version(db)
            db.execute(f"PRAGMA busy_timeout={round(seconds * 1000)}")  # to open it may have taken longer
        except BaseException:
            db.close()
            raise
        return db

    def _bring_to_version(self, db: sqlite3.Connection) -> None:
        """Make the tables. A file of another version holds nothing that could not be asked for again."""
        if db.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
            return
        db.execute("BEGIN IMMEDIATE")
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:  # another process may have been quicker
            if tables and "replies" not in tables:
                raise sqlite3.DatabaseError("it holds something else")
            for statement in (*(f'DROP TABLE "{name}"' for name in tables), *_SCHEMA):
                db.execute(statement)
        db.execute("COMMIT")

    def _look(self, key: bytes, tenant: str, now: int) -> tuple[int, tuple[Any, ...] | None]:
        # First the count: a clear between the two readings then keeps the reply out that is asked for now.
        clears: int = self._reader.execute("SELECT clears FROM sums").fetchone()[0]
        return clears, self._reader.execute(_GET, (key, tenant, now)).fetchone()

    def _put(self, db: sqlite3.Connection, row: StoredReply, clears: int) -> bool:
        size = len(row.body)
        marks = ", ".join("?" * (len(row.tags) + 1))
        since = f"SELECT 1 FROM cleared WHERE clears > ? AND tag IN ({marks})"  # noqa: S608  # only question marks
        if size > self._bound or db.execute(since, (clears, _ALL, *row.tags)).fetchone():
            return False
        db.execute("DELETE FROM replies WHERE key = ? OR expires_at <= ?", (row.key, row.kept_at))
        _make_room(db, self._bound - size)
        db.execute(
            f"INSERT INTO replies ({_ROW}, size, used_at, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  # our own names
            (
                row.key,
                row.tenant,
                row.kept_at,
                row.expires_at,
                row.model,
                json.dumps(row.tags),
                row.cost,
                size,
                row.kept_at,
                row.body,
            ),
        )
        db.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?)", [(tag, row.key) for tag in row.tags])
        return True

    def _count(self, key: bytes, now: int) -> None:
        hits, used_at = self._uses.get(key, (0, 0))
        self._uses[key] = hits + 1, max(used_at, now)
        if len(self._uses) >= _USES_WAITING:
            asyncio.get_running_loop().run_in_executor(None, self._note, self._taken())

    async def _write(self, change: Callable[[sqlite3.Connection], _T]) -> _T:
        uses = self._taken()
        return await asyncio.to_thread(self._guarded, lambda: self._in_one(uses, change))

    def _taken(self) -> _Uses:
        """The uses that wait, to be written by a thread: only the caller's own touches what goes on waiting."""
        uses, self._uses = self._uses, {}
        return uses

    def _note(self, uses: _Uses) -> None:
        """Write down which rows were used; that may fail, and is then forgotten."""
        with contextlib.suppress(ReplyStoreError):
            self._guarded(lambda: self._in_one(uses, lambda _: None))

    def _in_one(self, uses: _Uses, change: Callable[[sqlite3.Connection], _T]) -> _T:
        """Make a change, and write down which rows were used, in one transaction."""
        with self._writing:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                self._writer.executemany(
                    "UPDATE replies SET hits = hits + ?, used_at = max(used_at, ?) WHERE key = ?",
                    [(hits, used_at, key) for key, (hits, used_at) in uses.items()],
                )
                made = change(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            return made

    def _guarded(self, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            raise ReplyStoreError(path=self._path, problem=str(error)) from error


def make_private(path: Path) -> None:
    """Make an empty file with mode 600, unless there is one.

    One that is there is not even opened: to close it again would drop the locks of this process's other connections to
    it (fcntl(2)), and another process would then take its log away from under them.
    """
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _clear(db: sqlite3.Connection, tag: str | None) -> int:
    db.execute("UPDATE sums SET clears = clears + 1")
    db.execute("INSERT OR REPLACE INTO cleared SELECT ?, clears FROM sums", (tag or _ALL,))
    if tag is None:
        return db.execute("DELETE FROM replies").rowcount
    return db.execute("DELETE FROM replies WHERE key IN (SELECT key FROM tags WHERE tag = ?)", (tag,)).rowcount


def _make_room(db: sqlite3.Connection, room: int) -> None:
    """Delete the rows longest unused until so many bytes are left at most."""
    over: int = db.execute("SELECT size FROM sums").fetchone()[0] - room
    if over <= 0:
        return
    gone = []
    for key, size in db.execute("SELECT key, size FROM replies ORDER BY used_at, key"):
        gone.append((key,))
        over -= size
        if over <= 0:
            break
    db.executemany("DELETE FROM replies WHERE key = ?", gone)


def _named(values: Sequence[Any]) -> dict[str, Any]:
    names = ("key", "tenant", "kept_at", "expires_at", "model")
    tags = tuple(json.loads(values[5]))
    return {**dict(zip(names, values, strict=False)), "tags": tags, "cost": values[6]}

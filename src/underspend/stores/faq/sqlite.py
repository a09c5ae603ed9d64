"""Questions, answers and hits in a SQLite file of their own; with ":memory:" for the process only.

Questions and answers are sealed; what is beside them says whose they are and when, and is bound to them.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from underspend.core.faq import Calibration, FaqEntry, FaqHit
from underspend.core.replies import ReplyStoreError
from underspend.stores.replies.sealed import Sealer
from underspend.stores.replies.sqlite import make_private

_VERSION = 1
_T = TypeVar("_T")
_ENTRIES = """CREATE TABLE entries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, frame BLOB NOT NULL,
    curated INTEGER NOT NULL, made_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0, sealed BLOB NOT NULL
)"""
_HITS = """CREATE TABLE hits (
    id INTEGER PRIMARY KEY, entry TEXT NOT NULL, at INTEGER NOT NULL, score INTEGER NOT NULL, served INTEGER NOT NULL,
    matcher TEXT NOT NULL, tenant TEXT NOT NULL, label INTEGER, sealed BLOB NOT NULL
)"""
_SCHEMA = (
    _ENTRIES,
    _HITS,
    "CREATE TABLE calibration (one INTEGER PRIMARY KEY CHECK (one = 1), value TEXT NOT NULL)",
    "CREATE TABLE changes (n INTEGER NOT NULL, clears INTEGER NOT NULL)",
    "INSERT INTO changes VALUES (0, 0)",
    f"PRAGMA user_version={_VERSION}",
)
_LOOK_AT_HITS = "SELECT id, entry, at, score, served, matcher, tenant, label, sealed FROM hits"
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.decode
_ADD = (
    "INSERT INTO entries (id, tenant, frame, curated, made_at, expires_at, sealed) "
    "SELECT ?, ?, ?, ?, ?, ?, ? FROM changes WHERE clears = ?"
)
_CHANGED = "UPDATE changes SET n = n + ?"
_CHANGES = "SELECT n, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'entries'), 0) FROM changes"
_END = "DELETE FROM entries WHERE NOT curated AND expires_at <= ?"
_BOUND = """DELETE FROM entries WHERE NOT curated AND seq <=
    (SELECT seq FROM entries WHERE NOT curated ORDER BY seq DESC LIMIT 1 OFFSET ?)"""
_MOST_LEARNED = 10_000
_MOST_HITS = 100_000
_NOW_AND_THEN = 1_000
_WAIT_SECONDS = 5


class FaqStore:
    """Entries, hits and the calibration. Several processes may share the file (mode 600). Raises ReplyStoreError."""

    def __init__(self, path: Path | None, sealer: Sealer) -> None:
        self._path = path
        self._sealer = sealer
        self._lock = threading.Lock()
        self._db = self._guarded(self._opened)

    async def changes(self) -> tuple[int, int]:
        """Two counts over all processes: of changes to what there was (read all again), and of entries ever added."""
        [(changes, added)] = await self._asked(_CHANGES, ())
        return int(changes), int(added)

    async def clears(self) -> int:
        """How often the store has been cleared."""
        return int((await self._asked("SELECT clears FROM changes", ()))[0][0])

    async def add(self, entry: FaqEntry, clears: int) -> bool:
        """Keeps an entry; False where the store has been cleared since there were so many `clears`."""
        sealed = self._sealer.seal(_encode([entry.question, entry.answer]), _beside(entry))
        values = (entry.id, entry.tenant, entry.frame, entry.curated, entry.made_at, entry.expires_at, sealed, clears)
        return await self._change(_ADD, values, then=((_END, (entry.made_at,)), (_BOUND, (_MOST_LEARNED,))), n=0) > 0

    async def entries(self, *, added: int = 0) -> list[FaqEntry]:
        """The entries that may still serve, in the order they were added, but for the first `added` ever.

        Those that do not open are left out.
        """
        query = (
            "SELECT id, tenant, frame, curated, made_at, expires_at, sealed FROM entries WHERE NOT revoked AND seq > ?"
        )
        rows = await self._asked(f"{query} ORDER BY seq", (added,))
        return [entry for row in rows if (entry := self._entry(row)) is not None]

    async def revoke(self, entry: str) -> bool:
        """An entry serves nothing from now on, and its words are gone; its hits stay. False where there is none."""
        sql = "UPDATE entries SET revoked = 1, sealed = x'' WHERE id = ? AND NOT revoked"
        return await self._change(sql, (entry,)) > 0

    async def clear(self, tenant: str | None = None) -> int:
        """Forgets all entries with their hits, or those of a tenant; returns how many entries."""
        where, values = ("", ()) if tenant is None else (" WHERE tenant = ?", (tenant,))
        await self._change("UPDATE changes SET clears = clears + 1", ())
        await self._change(f"DELETE FROM hits{where}", values)  # noqa: S608  # our own names
        return await self._change(f"DELETE FROM entries{where}", values)  # noqa: S608  # our own names

    async def forget_learned(self) -> int:
        """Forgets all entries that were learned, and those of calls under way; returns how many. Curated ones stay."""
        await self._change("UPDATE changes SET clears = clears + 1", ())
        return await self._change("DELETE FROM entries WHERE NOT curated", ())

    async def note(self, hit: FaqHit) -> int:
        """Writes down a hit, and returns the number it has from now on."""
        beside = _encode(["underspend faq hit", hit.entry, hit.at, hit.tenant])
        values = (hit.entry, hit.at, hit.score, hit.served, hit.matcher, hit.tenant)
        sealed = self._sealer.seal(_encode([hit.asked, hit.question]), beside)
        sql = "INSERT INTO hits (entry, at, score, served, matcher, tenant, sealed) VALUES (?, ?, ?, ?, ?, ?, ?)"
        forget = "DELETE FROM hits WHERE id <= ? AND label IS NULL"

        def write() -> int:
            made = int(self._db.execute(sql, (*values, sealed)).lastrowid or 0)
            if made % _NOW_AND_THEN == 0:
                self._db.execute(forget, (made - _MOST_HITS,))
            return made

        return await self._run(write)

    async def hits(self, *, limit: int = 100, entry: str | None = None, labelled: bool = False) -> list[FaqHit]:
        """The last hits, of one entry or all, or only those the user has labelled."""
        more = " AND label IS NOT NULL" if labelled else ""
        query = f"{_LOOK_AT_HITS} WHERE (? IS NULL OR entry = ?){more} ORDER BY id DESC LIMIT ?"
        rows = await self._asked(query, (entry, entry, limit))
        return [hit for row in rows if (hit := self._hit(row)) is not None]

    async def label(self, hit: int, *, right: bool) -> bool:
        """The user's word on a hit. False where there is no such hit."""
        return await self._change("UPDATE hits SET label = ? WHERE id = ?", (right, hit)) > 0

    async def calibration(self) -> Calibration | None:
        """The calibration in force."""
        rows = await self._asked("SELECT value FROM calibration", ())
        try:
            return msgspec.json.decode(rows[0][0], type=Calibration) if rows else None
        except msgspec.MsgspecError:
            return None

    async def calibrate(self, calibration: Calibration | None) -> None:
        """Puts a calibration in force, or takes it away."""
        await self._change("DELETE FROM calibration", ())
        if calibration is not None:
            value = msgspec.json.encode(calibration).decode()
            await self._change("INSERT INTO calibration VALUES (1, ?)", (value,))

    async def close(self) -> None:
        """Lets go of the file."""
        self._db.close()

    def _opened(self) -> sqlite3.Connection:
        if self._path is not None:
            make_private(self._path)
        where = str(self._path) if self._path is not None else ":memory:"
        db = sqlite3.connect(where, timeout=_WAIT_SECONDS, check_same_thread=False, isolation_level=None)
        try:
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
                db.execute(f"PRAGMA {pragma}")
            _bring_to_version(db)
        except BaseException:
            db.close()
            raise
        return db

    def _entry(self, row: Sequence[Any]) -> FaqEntry | None:
        name, tenant, frame, curated, made_at, expires_at, sealed = row
        entry = FaqEntry(
            id=name,
            tenant=tenant,
            frame=frame,
            question="",
            answer=b"",
            curated=bool(curated),
            made_at=made_at,
            expires_at=expires_at,
        )
        plain = self._sealer.open(sealed, _beside(entry))
        if plain is None:
            return None
        question, answer = _decode(plain, type=tuple[str, bytes])
        return replace(entry, question=question, answer=answer)

    def _hit(self, row: Sequence[Any]) -> FaqHit | None:
        number, entry, at, score, served, matcher, tenant, label, sealed = row
        plain = self._sealer.open(sealed, _encode(["underspend faq hit", entry, at, tenant]))
        if plain is None:
            return None
        asked, question = _decode(plain, type=tuple[str, str])
        return FaqHit(
            id=number,
            entry=entry,
            at=at,
            score=score,
            served=bool(served),
            matcher=matcher,
            asked=asked,
            question=question,
            tenant=tenant,
            label=None if label is None else bool(label),
        )

    async def _asked(self, query: str, values: Sequence[object]) -> list[Any]:
        return await self._run(lambda: self._db.execute(query, values).fetchall())

    async def _change(
        self, sql: str, values: Sequence[object], *, then: Sequence[tuple[str, Sequence[object]]] = (), n: int = 1
    ) -> int:
        """Make a change, and what belongs to it, in one transaction; returns how many rows the change touched."""

        def change() -> int:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                changed = self._db.execute(sql, values).rowcount
                for more, its_values in (*then, (_CHANGED, (n,))):
                    self._db.execute(more, its_values)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            return changed

        return await self._run(change)

    async def _run(self, work: Callable[[], _T]) -> _T:
        def alone() -> _T:
            with self._lock:
                return self._guarded(work)

        return await asyncio.to_thread(alone)

    def _guarded(self, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            raise ReplyStoreError(path=self._path or "memory", problem=str(error)) from error


def _bring_to_version(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found not in {0, _VERSION}:
        raise sqlite3.DatabaseError(f"another Underspend wrote it (form {found}, this one knows {_VERSION})")
    for statement in _SCHEMA if found == 0 else ():
        db.execute(statement)
    db.execute("COMMIT")


def new_entry_id() -> str:
    """A name for an entry: ten hexadecimal digits."""
    return secrets.token_hex(5)


def _beside(entry: FaqEntry) -> bytes:
    return _encode(
        ["underspend faq", entry.id, entry.tenant, entry.frame, entry.curated, entry.made_at, entry.expires_at]
    )

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stores.replies.conformance import SEAL, row, run
from underspend.core.replies import SECOND, ReplyStoreError
from underspend.stores.replies.memory import MemoryReplies
from underspend.stores.replies.sealed import AesGcm, SealedReplies
from underspend.stores.replies.sqlite import SqliteReplies


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_is_sealed_opens_with_what_belongs_to_it_only(plain, beside):
    sealed = SEAL.seal(plain, beside)
    assert SEAL.open(sealed, beside) == plain
    assert SEAL.open(sealed, beside + b"x") is None
    assert AesGcm(bytes(32)).open(sealed, beside) is None
    assert SEAL.seal(plain, beside) != sealed
    assert len(plain) < 8 or plain not in sealed


@given(st.binary(min_size=1, max_size=60), st.integers(0), st.integers(1, 255))
def test_no_bit_of_it_may_change(plain, at, flip):
    sealed = bytearray(SEAL.seal(plain, b""))
    sealed[at % len(sealed)] ^= flip
    assert SEAL.open(bytes(sealed), b"") is None


@given(st.binary(max_size=60))
def test_other_bytes_do_not_open(raw):
    assert SEAL.open(raw, b"") is None


CHANGES = {
    "key": b"b".ljust(32, b"."),
    "tenant": "two",
    "kept_at": 5,
    "expires_at": 10**12,
    "model": "dearer",
    "tags": '["x"]',
    "cost_pico": 0,
    "body": b"\x01" + b"0" * 100,
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_row_that_was_tampered_with_does_not_open(column, tmp_path):
    async def work():
        store = SealedReplies(SqliteReplies(tmp_path / "r", 10_000), SEAL)
        kept = row(tags="t")
        assert await store.put(kept, 0)
        assert (await store.get(kept.key, "one", 1)).row == kept
        db = sqlite3.connect(tmp_path / "r")
        assert b"xxxxxxxx" not in db.execute("SELECT body FROM replies").fetchone()[0]
        db.execute(f"UPDATE replies SET {column} = ?", (CHANGES[column],))
        db.commit()
        db.close()
        key = CHANGES["key"] if column == "key" else kept.key
        tenant = "two" if column == "tenant" else "one"
        assert (await store.get(key, tenant, 1)).row is None
        assert await store.put(kept, 0)
        assert (await store.get(kept.key, "one", 1)).row == kept
        await store.close()

    run(work)


@settings(max_examples=30, deadline=None)
@given(
    names=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["one", "two"])), min_size=2, max_size=2),
)
def test_a_body_moved_to_another_row_does_not_open(names):
    async def work(folder):
        inner = SqliteReplies(Path(folder) / "r", 10_000)
        store = SealedReplies(inner, SEAL)
        (here, mine), (there, other) = names
        await store.put(row(here, tenant=mine), 0)
        moved = (await inner.get(row(here).key, mine, 1)).row
        await inner.put(replace(moved, key=row(there).key, tenant=other), 0)
        found = (await store.get(row(there).key, other, 1)).row
        assert found == (row(here, tenant=mine) if (here, mine) == (there, other) else None)
        await store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(folder))


def test_a_store_that_gives_another_row_than_asked_for_is_not_believed():
    class Wrong(MemoryReplies):
        async def get(self, key, tenant, now, *, use=True):
            del key, tenant, now, use
            return await super().get(row().key, "one", 0)

    async def work():
        store = SealedReplies(Wrong(1000), SEAL)
        await store.put(row(), 0)
        assert (await store.get(row().key, "one", 1)).row == row()
        assert (await store.get(row("b").key, "one", 1)).row is None
        assert (await store.get(row().key, "two", 1)).row is None
        assert (await store.get(row().key, "one", 60 * SECOND)).row is None

    run(work)


def test_another_key_opens_nothing():
    async def work():
        inner = MemoryReplies(1000)
        await SealedReplies(inner, SEAL).put(row(), 0)
        other = SealedReplies(inner, AesGcm(bytes(32)))
        assert (await other.get(row().key, "one", 1)).row is None
        assert (await other.stock(1)).rows == 1
        assert await other.remove(row().key)

    run(work)


def test_the_package_it_needs_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(ReplyStoreError, match=r"underspend\[cache\]"):
        AesGcm(bytes(32))

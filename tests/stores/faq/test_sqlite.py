from __future__ import annotations

import asyncio
import sqlite3
import stat
from dataclasses import replace

import pytest

from stores.replies.conformance import SEAL
from underspend.core.faq import Calibration, FaqEntry, FaqHit
from underspend.core.replies import ReplyStoreError
from underspend.stores.faq.sqlite import FaqStore, new_entry_id
from underspend.stores.replies.sealed import AesGcm

ENTRY = FaqEntry(
    id="e1",
    tenant="one",
    frame=b"f",
    question="How do I pay?",
    answer=b"By card.",
    curated=False,
    made_at=5,
    expires_at=100,
)
HIT = FaqHit(
    id=0,
    entry="e1",
    at=9,
    score=900_000,
    served=True,
    matcher="m",
    asked="How can I pay?",
    question="How do I pay?",
    tenant="one",
)
CALIBRATION = Calibration(matcher="m", threshold=1, limit=2, confidence=3, bound=4, hits=5, wrong=6, pairs=7, found=8)


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path):
    made = FaqStore(tmp_path / "faq" if request.param == "file" else None, SEAL)
    yield made
    asyncio.run(made.close())


def test_entries_are_kept_until_they_are_revoked(store):
    async def work():
        before = await store.changes()
        assert await store.add(ENTRY, 0)
        other, every = replace(ENTRY, id="e2", tenant="two"), replace(ENTRY, id="e3", tenant="*", curated=True)
        await store.add(other, 0)
        await store.add(every, 0)
        assert await store.entries() == [ENTRY, other, every]
        assert await store.entries(added=1) == [other, every]
        assert before == (0, 0)
        assert await store.changes() == (0, 3)
        assert await store.revoke("e1")
        assert not await store.revoke("e1")
        assert (await store.changes())[0] > 0
        assert await store.entries() == [other, every]
        with pytest.raises(ReplyStoreError):
            await store.add(other, 0)

    asyncio.run(work())


def test_hits_are_kept_with_what_was_asked_and_can_be_labelled(store):
    async def work():
        assert await store.note(HIT) == 1
        assert await store.note(replace(HIT, entry="e2", served=False)) == 2
        assert await store.hits() == [replace(HIT, id=2, entry="e2", served=False), replace(HIT, id=1)]
        assert await store.hits(entry="e1") == [replace(HIT, id=1)]
        assert await store.hits(labelled=True) == []
        assert await store.label(1, right=False)
        assert not await store.label(9, right=True)
        assert await store.hits(labelled=True) == [replace(HIT, id=1, label=False)]

    asyncio.run(work())


def test_a_clear_takes_entries_and_hits_and_keeps_out_what_was_asked_before(store):
    async def work():
        clears = await store.clears()
        await store.add(ENTRY, clears)
        await store.add(replace(ENTRY, id="e2", tenant="two"), clears)
        await store.note(HIT)
        assert await store.clear("one") == 1
        assert await store.hits() == []
        assert [entry.id for entry in await store.entries()] == ["e2"]
        assert not await store.add(ENTRY, clears)
        assert await store.add(ENTRY, await store.clears())
        assert await store.clear() == 2

    asyncio.run(work())


def test_one_calibration_is_in_force(store):
    async def work():
        assert await store.calibration() is None
        await store.calibrate(CALIBRATION)
        await store.calibrate(replace(CALIBRATION, threshold=77))
        assert await store.calibration() == replace(CALIBRATION, threshold=77)
        await store.calibrate(None)
        assert await store.calibration() is None

    asyncio.run(work())


def test_no_words_are_at_rest_in_the_open_and_what_was_changed_does_not_open(tmp_path):
    async def work():
        file = tmp_path / "faq"
        store = FaqStore(file, SEAL)
        await store.add(ENTRY, 0)
        await store.note(HIT)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        raw = b"".join(each.read_bytes() for each in tmp_path.iterdir())
        assert b"pay" not in raw
        assert b"card" not in raw
        db = sqlite3.connect(file, isolation_level=None)
        db.execute("UPDATE entries SET tenant = 'two'")
        db.execute("UPDATE hits SET entry = 'e2'")
        assert await store.entries() == await store.hits() == []
        db.execute("INSERT INTO calibration VALUES (1, '{')")
        assert await store.calibration() is None
        await store.close()
        other = FaqStore(file, AesGcm(bytes(32)))
        assert await other.entries() == []
        await other.close()
        db.execute("PRAGMA user_version=9")
        db.close()
        with pytest.raises(ReplyStoreError, match="another Underspend"):
            FaqStore(file, SEAL)

    asyncio.run(work())


def test_learned_entries_and_hits_are_let_go_of_in_time(store, monkeypatch):
    monkeypatch.setattr("underspend.stores.faq.sqlite._MOST_LEARNED", 3)
    monkeypatch.setattr("underspend.stores.faq.sqlite._MOST_HITS", 4)
    monkeypatch.setattr("underspend.stores.faq.sqlite._NOW_AND_THEN", 5)

    async def work():
        await store.add(replace(ENTRY, id="c", curated=True), 0)
        for n in range(6):
            await store.add(replace(ENTRY, id=f"e{n}", made_at=50 + n, expires_at=200), 0)
        assert [entry.id for entry in await store.entries()] == ["c", "e3", "e4", "e5"]
        await store.add(replace(ENTRY, id="late", made_at=200, expires_at=300), 0)
        assert [entry.id for entry in await store.entries()] == ["c", "late"]
        await store.note(HIT)
        await store.label(1, right=True)
        for _ in range(9):
            await store.note(HIT)
        assert [hit.id for hit in await store.hits()] == [10, 9, 8, 7, 1]

    asyncio.run(work())


def test_names_differ():
    assert len({new_entry_id() for _ in range(100)}) == 100


def test_what_was_learned_can_be_forgotten_and_what_was_curated_stays(store):
    async def work():
        await store.add(ENTRY, 0)
        await store.add(replace(ENTRY, id="e2", curated=True), 0)
        assert await store.forget_learned() == 1
        assert [entry.id for entry in await store.entries()] == ["e2"]
        assert not await store.add(replace(ENTRY, id="e3"), 0), "its call was asked before the clear"
        assert await store.add(replace(ENTRY, id="e4"), await store.clears())

    asyncio.run(work())

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys

import pytest

from stores.replies.conformance import row, run
from underspend.core.replies import SECOND, ReplyStoreError
from underspend.stores.replies.sqlite import SqliteReplies

OPENER = """
import asyncio, sys
from pathlib import Path
from underspend.stores.replies.sqlite import SqliteReplies
asyncio.run(SqliteReplies(Path(sys.argv[1]), 1000).close())
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "replies.sqlite3"


def test_rows_outlast_the_process_and_only_the_owner_may_read_them(file):
    async def work():
        store = SqliteReplies(file, 1000)
        await store.put(row(), 0)
        await store.get(row().key, "one", SECOND)
        await store.close()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        again = SqliteReplies(file, 1000)
        assert (await again.get(row().key, "one", SECOND)).row == row()
        assert (await again.stock(SECOND)).hits == 2
        await again.close()

    run(work)


def test_a_clear_in_one_process_holds_in_another_at_once(file):
    async def work():
        one, two = SqliteReplies(file, 1000), SqliteReplies(file, 1000)
        asked = (await two.get(row().key, "one", 0)).clears
        await one.put(row(tags="t"), 0)
        assert (await two.get(row().key, "one", 0)).row is not None
        await one.clear("t")
        assert (await two.get(row().key, "one", 0)).row is None
        assert not await two.put(row(tags="t"), asked)
        await one.close()
        await two.close()

    run(work)


def test_a_clear_by_a_program_that_ends_holds_in_one_that_goes_on(file):
    """The program that ends thinks it is the last to use the file, where the other's locks were dropped."""
    clearer = OPENER.replace("asyncio.run(", "store = ").replace(".close())", "")
    clearer += "\nasync def work():\n    print(await store.clear('t'))\n    await store.close()\nasyncio.run(work())\n"

    async def work():
        store = SqliteReplies(file, 1000)
        await store.put(row(tags="t"), 0)
        for cleared in ("1", "0"):
            done = subprocess.run([sys.executable, "-c", clearer, str(file)], capture_output=True, text=True)
            assert (done.returncode, done.stdout.strip()) == (0, cleared), done.stderr
            assert (await store.get(row().key, "one", 0)).row is None
        await store.close()

    run(work)


def test_processes_may_open_it_at_once(file):
    openers = [subprocess.Popen([sys.executable, "-c", OPENER, str(file)]) for _ in range(4)]
    assert [opener.wait(60) for opener in openers] == [0] * 4


def test_many_at_once_keep_the_books_straight(file):
    async def work():
        store = SqliteReplies(file, 5_000)

        async def one(n):
            await store.put(row(f"k{n % 20}", ttl=999, size=100 + n), 0)
            await store.get(row(f"k{n % 7}").key, "one", n)

        await asyncio.gather(*(one(n) for n in range(100)))
        listed = await store.listed(now=1000, limit=1000)
        stock = await store.stock(1000)
        assert stock.size == sum(each.size for each in listed) <= 5_000
        await store.close()
        db = sqlite3.connect(file)
        assert db.execute("SELECT size FROM sums").fetchone()[0] == stock.size
        db.close()

    run(work)


def test_a_file_of_an_older_form_is_made_anew(file):
    async def work():
        store = SqliteReplies(file, 1000)
        await store.put(row(), 0)
        await store.close()
        db = sqlite3.connect(file, isolation_level=None)
        db.execute("PRAGMA user_version=99")
        db.close()
        again = SqliteReplies(file, 1000)
        assert (await again.stock(0)).rows == 0
        await again.close()

    run(work)


def test_a_file_that_holds_something_else_is_left_alone(file):
    db = sqlite3.connect(file)
    db.execute("CREATE TABLE calls (id)")
    db.close()
    with pytest.raises(ReplyStoreError, match="it holds something else"):
        SqliteReplies(file, 1000)
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(ReplyStoreError, match=r"response cache at .* cannot be used"):
        SqliteReplies(file, 1000)
    with pytest.raises(ReplyStoreError):
        SqliteReplies(file.parent / "no folder" / "file", 1000)


def test_a_database_that_fails_is_one_kind_of_error(file):
    async def work():
        store = SqliteReplies(file, 1000)
        await store.put(row(), 0)
        db = sqlite3.connect(file)
        db.executescript("DROP TRIGGER less; DROP TABLE replies")
        db.close()
        for broken in (store.get(row().key, "one", 0), store.put(row(), 0), store.clear(), store.stock(0)):
            with pytest.raises(ReplyStoreError):
                await broken
        store._uses = {row().key: (1, 1)}
        store._note(store._taken())
        store._reader.close()
        store._writer.close()

    run(work)

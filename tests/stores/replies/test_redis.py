from __future__ import annotations

import sys

import pytest

from stores.replies.conformance import row, run
from underspend.core.replies import ReplyStoreError
from underspend.stores.replies.redis import _SPACE, RedisReplies


def test_replicas_share_rows_and_clears(redis):
    async def work():
        one, two = RedisReplies(redis, 1000), RedisReplies(redis, 1000)
        await one.clear()
        asked = (await two.get(row().key, "one", 0)).clears
        assert await one.put(row(tags="t"), asked)
        assert (await two.get(row().key, "one", 0)).row == row(tags="t")
        assert await two.clear("t") == 1
        assert (await one.get(row().key, "one", 0)).row is None
        assert not await one.put(row(tags="t"), asked)
        await one.close()
        await two.close()

    run(work)


def test_bodies_end_by_themselves_and_what_is_left_of_them_is_put_right(redis):
    async def work():
        store = RedisReplies(redis, 1000)
        await store.clear()
        clears = (await store.get(b"", "one", 0)).clears
        await store.put(row("a", ttl=60, size=900, tags="t"), clears)
        name = _SPACE + "reply:" + row("a").key.hex()
        assert 0 < await store._redis.pttl(name) <= 60_000
        await store._redis.delete(name)  # as at its end, or where Redis is short of memory
        assert (await store.get(row("a").key, "one", 0)).row is None
        assert not await store.listed(now=0)
        assert await store.put(row("b", size=500), clears)
        assert int(await store._redis.get(_SPACE + "size")) == 500
        await store._redis.delete(*await store._redis.keys(_SPACE + "used"))
        assert await store.put(row("c", size=900), clears)
        assert not await store.put(row("d", ttl=0), clears)
        assert await store.clear() == 1
        assert int(await store._redis.get(_SPACE + "size")) == 0
        await store.close()

    run(work)


def test_a_server_that_is_not_there_is_one_kind_of_error_and_no_password_is_shown(tmp_path):
    async def work():
        store = RedisReplies(f"unix://name:secret@{tmp_path}/nothing.sock?password=secret", 1000)
        for broken in (store.get(b"", "one", 0), store.put(row(), 0), store.clear(), store.stock(0)):
            with pytest.raises(ReplyStoreError) as caught:
                await broken
            assert "secret" not in str(caught.value)
        await store.close()

    run(work)


def test_the_package_it_needs_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ReplyStoreError, match=r"underspend\[redis\]"):
        RedisReplies("redis://localhost", 1000)

"""What every store of the response cache must hold."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stores.replies.conformance import BOUND, KINDS, row, run, store_of
from underspend.core.replies import SECOND

EACH = pytest.mark.parametrize("kind", KINDS)


def at(seconds: int) -> int:
    return seconds * SECOND


@EACH
def test_a_row_is_found_as_it_was_kept_by_its_own_tenant_only(kind, tmp_path, redis):
    async def work():
        async with store_of(kind, tmp_path, redis) as store:
            kept = row(tags="docs/v1 faq")
            found = await store.get(kept.key, "one", at(0))
            assert found.row is None
            assert await store.put(kept, found.clears)
            assert (await store.get(kept.key, "one", at(1))).row == kept
            assert (await store.get(kept.key, "two", at(1))).row is None
            assert (await store.get(b"?" * 32, "one", at(1))).row is None

    run(work)


@EACH
def test_a_row_ends_at_its_time(kind, tmp_path, redis):
    async def work():
        async with store_of(kind, tmp_path, redis) as store:
            clears = (await store.get(b"", "one", 0)).clears
            await store.put(row(at=10, ttl=60), clears)
            assert (await store.get(row().key, "one", at(70) - 1)).row is not None
            assert (await store.get(row().key, "one", at(70))).row is None
            assert (await store.stock(at(70))).rows == 0
            assert not await store.listed(now=at(70))
            await store.put(row("b", at=71), clears)
            assert [each.key for each in await store.listed(now=at(72))] == [row("b").key]

    run(work)


@EACH
def test_a_clear_by_tag_takes_its_rows_and_no_others(kind, tmp_path, redis):
    async def work():
        async with store_of(kind, tmp_path, redis) as store:
            clears = (await store.get(b"", "one", 0)).clears
            for each in (row("a", tags="x"), row("b", tags="x y"), row("c", tags="y"), row("d")):
                assert await store.put(each, clears)
            assert await store.clear("x") == 2
            assert {each.key[:1] for each in await store.listed(now=0)} == {b"c", b"d"}
            assert [each.key[:1] for each in await store.listed(now=0, tag="y")] == [b"c"]
            assert await store.clear("never seen") == 0
            assert await store.clear() == 2
            assert (await store.stock(0)).rows == 0
            assert (await store.stock(0)).size == 0

    run(work)


@EACH
@pytest.mark.parametrize("tag", ["x", None])
def test_a_reply_asked_for_before_a_clear_is_not_kept_after_it(kind, tag, tmp_path, redis):
    async def work():
        async with store_of(kind, tmp_path, redis) as store:
            before = (await store.get(row().key, "one", 0)).clears
            await store.clear(tag)
            assert not await store.put(row(tags="w x"), before)
            assert await store.put(row("b", tags="w"), before) == (tag is not None)
            after = (await store.get(row().key, "one", 0)).clears
            assert await store.put(row(tags="w x"), after)

    run(work)


@EACH
def test_the_longest_unused_goes_first(kind, tmp_path, redis):
    async def work():
        async with store_of(kind, tmp_path, redis, 1000) as store:
            clears = (await store.get(b"", "one", 0)).clears
            for n, name in enumerate("abc"):
                await store.put(row(name, at=n, ttl=999, size=250), clears)
            await store.get(row("a").key, "one", at(10))
            await store.put(row("d", at=11, ttl=999, size=400), clears)
            assert {each.key[:1] for each in await store.listed(now=at(12))} == {b"a", b"c", b"d"}
            assert not await store.put(row("e", at=12, size=1001), clears)

    run(work)


@EACH
def test_uses_are_counted(kind, tmp_path, redis):
    async def work():
        async with store_of(kind, tmp_path, redis) as store:
            clears = (await store.get(b"", "one", 0)).clears
            await store.put(row(ttl=999), clears)
            for n in range(120):
                await store.get(row().key, "one", at(n))
                assert (await store.get(row().key, "one", at(n), use=False)).row is not None
            [listed] = await store.listed(now=at(200))
            assert (listed.hits, listed.used_at, listed.cost, listed.model) == (120, at(119), 7, "m")
            stock = await store.stock(at(200))
            assert (stock.rows, stock.hits, stock.bound) == (1, 120, BOUND)
            assert await store.remove(row().key)
            assert not await store.remove(row().key)
            assert (await store.stock(at(200))).size == 0

    run(work)


@EACH
def test_a_row_put_again_takes_the_place_of_the_old(kind, tmp_path, redis):
    async def work():
        async with store_of(kind, tmp_path, redis) as store:
            clears = (await store.get(b"", "one", 0)).clears
            await store.put(row(tags="old", size=500), clears)
            await store.put(row(at=5, size=200), clears)
            assert (await store.get(row().key, "one", at(6))).row == row(at=5, size=200)
            assert await store.clear("old") == 0
            assert (await store.stock(at(6))).rows == 1

    run(work)


NAMES = st.sampled_from("abcdef")
TAGS = st.sampled_from(["", "x", "y", "x y"])
STEPS = st.one_of(
    st.tuples(st.just("put"), NAMES, st.sampled_from(["one", "two"]), st.integers(1, 900), TAGS, st.integers(30, 300)),
    st.tuples(st.just("get"), NAMES, st.sampled_from(["one", "two"])),
    st.tuples(st.just("clear"), st.sampled_from(["x", "y", None])),
    st.tuples(st.just("wait"), st.integers(1, 200)),
)


@EACH
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=25), bound=st.integers(800, 2500))
def test_no_store_ever_answers_otherwise_than_the_model_allows(kind, steps, bound, redis):
    """Never another tenant's row, nor a stale or a cleared one, and never more bytes than the bound."""

    async def work(folder: Path):
        async with store_of(kind, folder, redis, bound) as store:
            clears = (await store.get(b"", "", 0)).clears
            kept, now = {}, 1000
            for step in steps:
                match step:
                    case ("put", name, tenant, size, tags, ttl):
                        made = row(name, tenant=tenant, at=now, ttl=ttl, size=size, tags=tags)
                        if await store.put(made, clears):
                            kept[made.key] = made
                    case ("get", name, tenant):
                        found = await store.get(row(name).key, tenant, at(now))
                        if found.row is not None:
                            assert found.row == kept[found.row.key]
                            assert found.row.tenant == tenant
                            assert found.row.expires_at > at(now)
                    case ("clear", tag):
                        await store.clear(tag)
                        kept = {key: each for key, each in kept.items() if tag is not None and tag not in each.tags}
                        clears = (await store.get(b"", "", 0)).clears
                    case ("wait", seconds):
                        now += seconds
                listed = await store.listed(now=at(now))
                assert {each.key for each in listed} <= kept.keys()
                stock = await store.stock(at(now))
                assert stock.rows == len(listed)
                assert stock.size <= bound

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(Path(folder)))


HAMMER = """
import asyncio, random, sys
from pathlib import Path
from dataclasses import replace
sys.path.insert(0, sys.argv[3])
from stores.replies.conformance import row
from underspend.stores.replies.redis import RedisReplies
from underspend.stores.replies.sqlite import SqliteReplies

async def work(kind, where, seed):
    rng = random.Random(seed)
    store = SqliteReplies(Path(where), 3000) if kind == "sqlite" else RedisReplies(where, 3000)
    found = 0
    for _ in range(200):
        key = row(rng.choice("abcd"), tags="t", size=900)
        asked = await store.get(key.key, "one", 1)
        if asked.row is not None:
            found += 1
            assert asked.row.cost >= asked.clears, "a reply asked for before a clear was found after it"
        await asyncio.sleep(rng.random() / 500)
        await store.put(replace(key, cost=asked.clears), asked.clears)
        if rng.random() < 0.2:
            await store.clear("t")
    stock = await store.stock(1)
    assert stock.size <= 3000
    await store.close()
    print(found)

asyncio.run(work(sys.argv[1], sys.argv[2], sys.argv[4]))
"""


async def emptied(where):
    async with store_of("redis", Path(), where):
        pass


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_processes_that_keep_and_clear_at_once_never_find_a_stale_reply(kind, tmp_path, redis):
    where = str(tmp_path / "shared") if kind == "sqlite" else redis
    tests = str(Path(__file__).parents[2])
    if kind == "redis":  # what other tests left has other tags
        asyncio.run(emptied(where))
    hammers = [
        subprocess.Popen([sys.executable, "-c", HAMMER, kind, where, tests, str(n)], stdout=subprocess.PIPE)
        for n in range(3)
    ]
    said = [hammer.communicate(timeout=100)[0] for hammer in hammers]
    assert [hammer.returncode for hammer in hammers] == [0] * 3
    assert sum(map(int, said)) > 0

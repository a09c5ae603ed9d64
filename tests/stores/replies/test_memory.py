from __future__ import annotations

from stores.replies.conformance import row, run
from underspend.core.replies import SECOND
from underspend.stores.replies.memory import MemoryReplies


def test_what_has_ended_is_let_go_of_with_the_next_row():
    async def work():
        store = MemoryReplies(10_000)
        for n, name in enumerate("abc"):
            await store.put(row(name, ttl=10 + n), 0)
        await store.put(row("a", ttl=500), 0)
        await store.put(row("d", at=12), 0)
        assert sorted(held.row.key[:1] for held in store._rows.values()) == [b"a", b"d"]
        assert store._size == 200
        assert (await store.get(row("a").key, "one", 13 * SECOND)).row is not None
        await store.close()

    run(work)

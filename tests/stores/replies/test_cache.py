from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.test_reply_ends import MESSAGE, anthropic_stream
from formats.test_reply_key import ASK, BODIES, HEADERS, dump, mutations, text_of
from stores.replies.conformance import SEAL, row, run
from underspend.core.call import BillingMode, Identity, Role
from underspend.core.replies import SECOND, ReplyStoreError, Rules, Wish
from underspend.core.usage import Usage
from underspend.formats.reply_key import Questions
from underspend.stores.replies.cache import Answer, Finished, Passed, ReplyCache, Ticket, asked_of, content_of
from underspend.stores.replies.memory import MemoryReplies
from underspend.stores.replies.sealed import SealedReplies
from underspend.stores.replies.sqlite import SqliteReplies

HOUR = Wish(ttl=3600 * SECOND, tags=("docs",))
KEYED = Identity(billing=BillingMode.API_KEY)
JSON = Finished(
    status=200,
    content_type="application/json",
    body=json.dumps(MESSAGE).encode(),
    model="m",
    request_id="req_1",
    usage=Usage(1, 2, 3, 4, 5),
    cost=99,
)
STREAM = replace(JSON, content_type="text/event-stream; charset=utf-8", body=anthropic_stream() + b": bye\n\n")


async def look(cache, body=ASK, *, now=0, tenant="one", identity=KEYED, wish=HOUR, dialect="anthropic"):
    raw = body if isinstance(body, bytes) else dump(body)
    around = {"tenant": tenant, "provider": "p", "dialect": dialect, "target": "/v1/messages"}
    question = Questions().read(raw, headers=HEADERS, **around)
    asked = asked_of(question, endpoint="messages", tenant=tenant, identity=identity)
    return await cache.look(question, asked, wish, dialect=dialect, now=now)


def cache(bound=10**6):
    return ReplyCache(MemoryReplies(bound), Rules(any_temperature=True))


@pytest.mark.parametrize(("body", "reply"), [(ASK, JSON), ({**ASK, "stream": True}, STREAM)])
def test_a_reply_is_given_again_byte_for_byte(body, reply):
    async def work():
        made = cache()
        ticket = await look(made, body)
        assert isinstance(ticket, Ticket)
        assert await made.keep(ticket, reply, now=SECOND) is None
        answer = await look(made, body, now=62 * SECOND)
        assert isinstance(answer, Answer)
        assert answer.reply == reply
        head = dict(answer.headers)
        assert head[b"content-type"] == reply.content_type.encode()
        assert (head[b"request-id"], head[b"age"]) == (b"req_1", b"61")
        assert head[b"x-underspend-cache"] == f"hit; id={answer.key.hex()[:12]}".encode()
        assert (b"content-length" in head) == (reply is JSON)

    run(work)


def test_a_stream_is_no_answer_to_a_call_that_asked_for_none():
    async def work():
        made = cache()
        ticket = await look(made)
        assert "not of the kind" in await made.keep(ticket, STREAM, now=0)
        assert await made.keep(ticket, JSON, now=0) is None
        assert isinstance(await look(made, {**ASK, "stream": True}), Ticket)

    run(work)


def test_what_may_not_be_kept_is_not():
    async def work():
        made = cache()
        ticket = await look(made)
        cut = replace(JSON, body=JSON.body[:-3])
        assert await made.keep(ticket, cut, now=0) == "its end was not seen"
        assert await made.keep(ticket, replace(JSON, status=529), now=0) == "its status is 529"
        assert isinstance(await look(made), Ticket)
        small = cache(10)
        assert "larger than the cache" in await small.keep(await look(small), JSON, now=0)

    run(work)


@pytest.mark.parametrize(
    ("body", "identity", "why"),
    [
        ({**ASK, "safeguards": [{}]}, KEYED, "safety"),
        ({**ASK, "max_tokens": 0}, KEYED, "warms"),
        ({**ASK, "mcp_servers": [{}]}, KEYED, "MCP"),
        (ASK, Identity(billing=BillingMode.OAUTH), "subscription"),
        (ASK, Identity(billing=BillingMode.API_KEY, role=Role.SIDE), "own"),
    ],
)
def test_the_cache_has_no_part_in_some_calls(body, identity, why):
    passed = run(lambda: look(cache(), body, identity=identity))
    assert isinstance(passed, Passed)
    assert why in passed.why


def test_nobody_is_answered_who_cannot_be_told_from_others():
    assert isinstance(run(lambda: look(cache(), tenant="")), Passed)


def test_refresh_takes_a_new_reply_in_place_of_the_old():
    async def work():
        made = cache()
        await made.keep(await look(made), JSON, now=0)
        again = await look(made, wish=replace(HOUR, refresh=True))
        assert isinstance(again, Ticket)
        assert await made.keep(again, replace(JSON, request_id="req_2"), now=1) is None
        assert (await look(made, now=2)).reply.request_id == "req_2"

    run(work)


def test_a_reply_ends_with_its_lifetime_and_with_a_clear():
    async def work():
        made = cache()
        ticket = await look(made)
        await made.keep(ticket, JSON, now=0)
        assert isinstance(await look(made, now=3600 * SECOND - 1), Answer)
        assert isinstance(await look(made, now=3600 * SECOND), Ticket)
        await made.keep(await look(made), JSON, now=0)
        under_way = await look(made, {**ASK, "max_tokens": 7})
        await made.store.clear("docs")
        assert isinstance(await look(made), Ticket)
        assert "cleared meanwhile" in await made.keep(under_way, JSON, now=0)

    run(work)


def test_a_store_that_fails_is_left_alone_for_a_while():
    class Broken(MemoryReplies):
        tries = 0

        async def get(self, key, tenant, now, *, use=True):
            self.tries += 1
            raise ReplyStoreError(path="p", problem="down")

        async def put(self, row, clears):
            raise ReplyStoreError(path="p", problem="down")

    async def work():
        store = Broken(1000)
        made = ReplyCache(store, Rules())
        with pytest.raises(ReplyStoreError):
            await look(made, now=0)
        assert isinstance(await look(made, now=9 * SECOND), Passed)
        assert store.tries == 1
        with pytest.raises(ReplyStoreError):
            await look(made, now=10 * SECOND)
        ticket = await look(cache())
        assert "failed" in await made.keep(ticket, JSON, now=11 * SECOND)
        with pytest.raises(ReplyStoreError):
            await made.keep(ticket, JSON, now=30 * SECOND)

    run(work)


def test_a_row_that_holds_no_reply_answers_nothing():
    assert content_of(row()) is None

    async def work():
        made = cache()
        ticket = await look(made)
        await made.store.put(replace(row(), key=ticket.question.key), 0)
        assert isinstance(await look(made, now=1), Ticket)

    run(work)


CALLS = st.tuples(st.sampled_from(["one", "two", "one "]), st.sampled_from(BODIES), st.integers(0, 10**6))


@settings(max_examples=60, deadline=None)
@given(kept=st.lists(CALLS, min_size=1, max_size=6), asked=CALLS, cleared=st.booleans())
def test_no_hit_across_tenants_after_a_clear_or_on_any_differing_field(kept, asked, cleared):
    def changed(body, at):
        made = [body, *(other for _, other in mutations(body) if isinstance(other, dict))]
        return made[at % len(made)]

    async def work(folder):
        made = ReplyCache(SealedReplies(SqliteReplies(Path(folder) / "r", 10**6), SEAL), Rules(any_temperature=True))
        known = {}
        for n, (tenant, (dialect, body), at) in enumerate(kept):
            one = changed({**body, "stream": False}, at)
            ticket = await look(made, one, tenant=tenant, dialect=dialect)
            if isinstance(ticket, Ticket) and not ticket.question.stream:
                reply = replace(JSON, request_id=str(n))
                await made.keep(replace(ticket, dialect="anthropic"), reply, now=0)
                known[str(n)] = (tenant, dialect, text_of(one))
        if cleared:
            await made.store.clear()
        tenant, (dialect, body), at = asked
        for one in (changed(body, at), *(body for _, (_, body), _ in kept)):
            answer = await look(made, one, tenant=tenant, dialect=dialect, now=1)
            if isinstance(answer, Answer):
                assert not cleared
                assert known[answer.reply.request_id] == (tenant, dialect, text_of(one))
        await made.store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(folder))

"""The response cache and the FAQ in the path of a call, every port in memory."""

import asyncio
import json

import pytest
from cached import CALIBRATED, DAY, QUESTION, call, calling, faq, made, rows, says
from doubles import Told, Upstream, daily, standings
from hypothesis import given, settings
from hypothesis import strategies as st
from replies import events, message

from targets import chat, chat_stream, to
from underspend.core.edits import SetMaxOutput
from underspend.core.engine import Step
from underspend.core.faq import FaqMode
from underspend.core.replies import SECOND, CacheRoute, ReplyStoreError, Rules
from underspend.core.strategy import State, Strategy
from underspend.gateway.acting import Acting
from underspend.gateway.holdout import Holdout
from underspend.pricing.catalogue import catalogue
from underspend.stores.replies.memory import MemoryReplies

STREAM = {**QUESTION, "stream": True}
OTHER = {**QUESTION, "messages": [{"role": "user", "content": "Where is the invoice?"}]}


def streaming(**options):
    return Upstream(events(**options), content_type=b"text/event-stream")


def test_an_equal_call_gets_the_reply_byte_for_byte_and_nothing_is_sent():
    upstream = Upstream([message()])
    pipe = made(upstream)
    first, second = call(pipe), call(pipe)
    assert second.body == first.body == message()
    assert (second.status, second.ended, len(upstream.sent)) == (200, True, 1)
    assert says(first).startswith("miss; id=")
    assert says(first).endswith("; ttl=3600")
    assert says(second).startswith("hit; id=")
    assert dict(second.headers)[b"age"] == b"0"
    one, two = rows(pipe)
    assert (one["outcome"], two["outcome"], two.get("cost_pico", 0)) == ("ok", "answered", 0)
    assert two["without_us_pico"] == one["cost_pico"] > 0
    assert two.get("message_id") is None
    assert pipe.answers.snapshot() == {"misses": 1, "kept": 1, "hits": 1}


def test_a_stream_and_a_whole_reply_are_two_identities():
    upstream = streaming()
    pipe = made(upstream)
    first, second = call(pipe, STREAM), call(pipe, STREAM)
    assert second.body == first.body == b"".join(events())
    assert len(upstream.sent) == 1
    upstream.chunks, upstream.content_type = [message()], b"application/json"
    assert call(pipe).body == message()
    assert len(upstream.sent) == 2
    assert call(pipe, STREAM).body == first.body
    assert call(pipe).body == message()
    assert len(upstream.sent) == 2


def test_nothing_is_looked_up_or_kept_unless_someone_asked_for_it():
    upstream = Upstream([message()])
    pipe = made(upstream, routes=[CacheRoute(ttl=60 * SECOND, project="docs")])
    for said in (None, "off"):
        for _ in range(2):
            assert says(call(pipe, cache=said)) == ""
    assert len(upstream.sent) == 4
    assert [says(call(pipe, cache=None, path="/p/docs/v1/messages"))[:4] for _ in range(2)] == ["miss", "hit;"]
    assert says(call(pipe, cache="off", path="/p/docs/v1/messages")) == ""
    assert len(upstream.sent) == 6
    assert pipe.answers.snapshot() == {"misses": 1, "kept": 1, "hits": 1}


def test_a_reply_answers_until_its_end_and_its_age_is_said():
    upstream = Upstream([message()])
    pipe = made(upstream)
    call(pipe, cache="ttl=60")
    pipe.clock.at += 59 * SECOND
    assert dict(call(pipe, cache="ttl=60").headers)[b"age"] == b"59"
    pipe.clock.at += 1 * SECOND
    assert says(call(pipe, cache="ttl=60")).startswith("miss")
    assert len(upstream.sent) == 2


def test_a_refresh_asks_again_and_takes_the_place_of_what_was_kept():
    upstream = Upstream([message()])
    pipe = made(upstream)
    call(pipe)
    upstream.chunks = [message(message_id="msg_2")]
    assert says(call(pipe, cache="ttl=3600; refresh")).startswith("refresh; id=")
    assert b"msg_2" in call(pipe).body
    assert len(upstream.sent) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Upstream([message(stop_reason="tool_use")]),
        Upstream([message(stop_reason="max_tokens")]),
        Upstream([message(stop_reason="refusal")]),
        Upstream([b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}'], status=529),
        Upstream([b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}']),
        Upstream([message()], cut=True),
        Upstream(events()[:-1], content_type=b"text/event-stream"),
        Upstream(events(), content_type=b"text/event-stream", cut=True),
        Upstream([message().replace(b'"type": "text", "text": "ok"', b'"type": "tool_use", "id": "t", "name": "n"')]),
        Upstream([b"not json"]),
    ],
)
def test_what_is_not_a_whole_plain_reply_is_never_kept(reply):
    pipe = made(reply)
    for body in (QUESTION, STREAM):
        for _ in range(2):
            assert not says(call(pipe, body)).startswith("hit")
    assert len(reply.sent) == 4
    assert "kept" not in pipe.answers.snapshot()
    assert asyncio.run(pipe.answers.cache.store.stock(0)).rows == 0


@pytest.mark.parametrize(
    ("body", "cache", "why"),
    [
        ({**QUESTION, "temperature": 1}, "ttl=60", "temperature"),
        ({**QUESTION, "mcp_servers": [{"url": "x"}]}, "ttl=60", "MCP"),
        ({**QUESTION, "max_tokens": 0}, "ttl=60", "warms"),
        ({**QUESTION, "stop_sequences": ["</severity>"]}, "ttl=60", "safety"),
        (b'{"model":"m","model":"n","messages":[]}', "ttl=60", "beyond doubt"),
        (QUESTION, "ttl=soon", "'ttl=soon'"),
        (QUESTION, "ttl=60; tag=\xe4\r", "takes ttl"),
    ],
)
def test_a_call_that_may_not_be_answered_says_why_and_goes_on(body, cache, why):
    upstream = Upstream([message()])
    pipe = made(upstream)
    for _ in range(2):
        told = call(pipe, body, cache=cache)
        assert says(told).startswith("pass; ")
        assert why in says(told)
        assert "\r" not in says(told)
        assert told.body == message()
    assert len(upstream.sent) == 2


def test_calls_of_nobody_of_a_login_and_of_sessions_left_alone_are_not_answered():
    upstream = Upstream([message()])
    pipe = made(upstream, holdout=Holdout(1.0))
    assert "nobody" in says(call(pipe, key=None))
    login = {"key": None, "authorization": "Bearer sk-ant-oat01-x"}
    assert "subscription" in says(call(pipe, **login))
    assert "left alone" in says(call(pipe, x_underspend_session="s1"))
    pipe.answers.cache.rules = Rules(subscription=True)
    assert [says(call(pipe, **login))[:4] for _ in range(2)] == ["miss", "hit;"]


class Halving(Strategy):
    name = "halving"
    edits = True

    def decide(self, asked, ctx):
        yield SetMaxOutput(50, why="")


def test_the_key_is_taken_of_what_would_be_sent():
    upstream, store = Upstream([message()]), MemoryReplies(10**7)
    plain = made(upstream, store=store)
    call(plain)
    edited = made(upstream, store=store, steps=[Step(Halving(), State.ON)])
    assert says(call(edited)).startswith("miss")
    assert json.loads(upstream.sent[-1][3])["max_tokens"] == 50
    assert says(call(edited)).startswith("hit")
    assert says(call(plain, {**QUESTION, "max_tokens": 50})).startswith("hit")
    assert len(upstream.sent) == 2


def test_a_call_that_a_budget_refuses_is_still_answered_for_nothing():
    upstream, store = Upstream([message()]), MemoryReplies(10**7)
    call(made(upstream, store=store))
    poor = made(upstream, store=store, budgets=[daily("0.000001")])
    hit = call(poor)
    assert (hit.status, hit.body) == (200, message())
    assert standings(poor) == ()
    refused = call(poor, OTHER)
    assert refused.status == 402
    assert [row["outcome"] for row in rows(poor)] == ["answered", "refused"]


def test_a_hit_holds_nothing_and_teaches_nothing():
    upstream = Upstream([message()])
    acting = Acting([Step(Halving(), State.ON)], catalogue())
    pipe = made(upstream, budgets=[daily("5")], acting=acting)
    pipe.asking.acting = acting
    said = {**QUESTION, "system": "s"}
    call(pipe, said, x_underspend_session="s")
    before = (
        pipe.books.calibration._ratios.copy() if hasattr(pipe.books.calibration, "_ratios") else None,
        acting.habits,
    )
    (talk,) = acting._talks.values()
    calls, paid, gaps = talk.calls, talk.paid, list(talk.gaps)
    pipe.clock.at += 7 * SECOND
    assert says(call(pipe, said, x_underspend_session="s")).startswith("hit")
    assert (talk.calls, talk.paid, talk.gaps) == (calls, paid, gaps)
    assert before[1] == acting.habits
    assert [(each.spent, each.held) for each in standings(pipe)] == [(rows(pipe)[0]["cost_pico"], 0)]


class Failing(MemoryReplies):
    """A store that fails."""

    def __init__(self, *names):
        super().__init__(10**6)
        self.names, self.asked = names, 0

    async def get(self, *parts, **named):
        self.asked += 1
        if "get" in self.names:
            raise ReplyStoreError(path="x", problem="gone")
        return await super().get(*parts, **named)

    async def put(self, *parts):
        if "put" in self.names:
            raise RuntimeError("surprise")
        return await super().put(*parts)


@pytest.mark.parametrize("broken", ["get", "put"])
def test_a_store_that_fails_costs_nobody_a_call(broken):
    upstream, store = Upstream([message()]), Failing(broken)
    pipe = made(upstream, store=store)
    for _ in range(3):
        told = call(pipe)
        assert (told.status, told.body, told.ended) == (200, message(), True)
    assert len(upstream.sent) == 3
    assert store.asked == (1 if broken == "get" else 3), "a store that fails is left alone for a while"
    assert pipe.status.snapshot()["faults"][0]["component"] == "cache"
    assert pipe.status.in_flight == 0


def test_a_client_that_leaves_during_the_look_up_leaves_no_hold_behind():
    class Slow(MemoryReplies):
        async def get(self, *parts, **named):
            await asyncio.sleep(60)

    pipe = made(Upstream([message()]), store=Slow(10), budgets=[daily("5")])

    async def work():
        asking = asyncio.ensure_future(calling(pipe))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(work())
    assert standings(pipe) == ()
    assert pipe.gate.holding._open == {}


def test_an_answer_that_the_client_does_not_wait_for_is_written_down():
    class Gone(Told):
        async def write(self, chunk):
            raise asyncio.CancelledError

    pipe = made()
    call(pipe)
    with pytest.raises(asyncio.CancelledError):
        call(pipe, told=Gone())
    assert rows(pipe)[-1]["outcome"] == "aborted"
    assert rows(pipe)[-1]["without_us_pico"] == 0


def test_a_call_that_comes_while_its_reply_is_being_kept_waits_for_that():
    class Slow(MemoryReplies):
        async def put(self, *parts):
            await asyncio.sleep(0.02)
            return await super().put(*parts)

    upstream = Upstream([message()])
    pipe = made(upstream, store=Slow(10**6))

    async def work():
        told = Told()
        first = asyncio.ensure_future(calling(pipe, told=told))
        while not told.ended:
            await asyncio.sleep(0)
        second = await calling(pipe)
        await first
        return second

    assert says(asyncio.run(work())).startswith("hit")
    assert len(upstream.sent) == 1


def test_the_reply_of_another_than_was_asked_is_not_kept():
    home = Upstream([b"{}"], status=529)
    backup = Upstream([message()])
    pipe = made(
        home,
        others=[to(backup, "backup", dialect="anthropic")],
        fallbacks={QUESTION["model"]: ("backup/claude-opus-5-5",)},
    )
    for _ in range(2):
        assert call(pipe).body == message()
    assert len(backup.sent) == 2
    assert pipe.answers.snapshot()["not kept: another answered in place of whom was asked"] == 2


CHAT = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize("path", ["/v1/chat/completions"])
def test_chat_calls_that_are_passed_on_are_answered_in_their_own_words(path):
    upstream = Upstream([chat()])
    pipe = made(Upstream([]), others=[to(upstream)])
    first, second = (call(pipe, CHAT, path=path) for _ in range(2))
    assert second.body == first.body == chat()
    assert len(upstream.sent) == 1
    upstream.chunks, upstream.content_type = chat_stream(), b"text/event-stream"
    asked = {**CHAT, "stream": True}
    first, second = (call(pipe, asked, path=path) for _ in range(2))
    assert second.body == first.body
    assert second.body.endswith(b"data: [DONE]\n\n")
    assert b'"usage"' not in second.body, "the client did not ask for it"
    assert len(upstream.sent) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/responses", {"model": "claude-opus-5-5", "input": "hi"}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_kept_of_a_translated_call_is_what_its_client_got(path, body, stream):
    upstream = streaming() if stream else Upstream([message()])
    pipe = made(upstream)
    body = {**body, "stream": stream}
    first, second = (call(pipe, body, path=path) for _ in range(2))
    assert len(upstream.sent) == 1
    assert second.body == first.body != message()
    assert says(second).startswith("hit")
    # The same call to the provider, from a client of another dialect, is another identity.
    call(pipe, upstream.sent[0][3])
    assert len(upstream.sent) == 2
    assert says(call(pipe, {**body, "user": "other"}, path=path)).startswith("miss")


BASE = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "system": "Be brief.",
    "messages": [{"role": "user", "content": "hello"}],
    "tools": [{"name": "look", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "auto"},
    "temperature": 0,
    "top_p": 0.5,
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "low"},
    "stop_sequences": ["X"],
    "metadata": {"user_id": "u"},
    "strange": 1,
}
CHANGES = st.one_of(
    st.sampled_from(
        [
            {"model": "claude-haiku-5-5"},
            {"max_tokens": 101},
            {"system": "Be long."},
            {"messages": [{"role": "user", "content": "hello "}]},
            {"messages": [{"role": "assistant", "content": "hello"}]},
            {"tools": []},
            {"tools": [{"name": "look", "input_schema": {"type": "string"}}]},
            {"tool_choice": {"type": "none"}},
            {"top_p": 0.6},
            {"thinking": {"type": "disabled"}},
            {"output_config": {"effort": "high"}},
            {"stop_sequences": ["Y"]},
            {"metadata": {"user_id": "v"}},
            {"stream": True},
            {"strange": 2},
        ]
    ),
    st.sampled_from(sorted(BASE.keys() - {"model", "messages"})).map(lambda name: {name: ...}),
    st.tuples(st.text("abcdef", min_size=3, max_size=8), st.integers()).map(lambda pair: {f"x_{pair[0]}": pair[1]}),
)
AROUND = st.sampled_from(
    [
        {"key": "sk-two"},
        {"key": "sk-one "},
        {"authorization": "Bearer sk-two"},
        {"anthropic_beta": "context-1m"},
        {"anthropic_version": "2024-01-01"},
        {"openai_organization": "org-2"},
        {"path": "/v1/messages?beta=true"},
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.one_of(CHANGES, AROUND.map(lambda around: {"around": around})), st.booleans())
def test_no_call_that_differs_in_anything_gets_a_kept_reply(change, stream):
    base = {**BASE, "stream": True} if stream else BASE
    around = change.get("around", {})
    other = base if around else {name: part for name, part in {**base, **change}.items() if part is not ...}
    if not around and {**other, "stream": bool(other.get("stream"))} == {**base, "stream": stream}:
        return
    upstream = streaming() if stream else Upstream([message()])
    pipe = made(upstream)
    call(pipe, base)
    assert says(call(pipe, other, **around)).partition(";")[0] in {"miss", "pass"}
    assert len(upstream.sent) == 2
    assert says(call(pipe, json.dumps(base, indent=2).encode())).startswith("hit")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=12))
def test_no_tenant_ever_gets_anothers_reply(calls):
    """Each tenant's replies carry its own name, so a reply of another's would be seen."""
    upstream = Upstream([])
    pipe = made(upstream)
    for tenant, question in calls:
        upstream.chunks = [message(message_id=f"msg_{tenant}_{question}")]
        body = {**QUESTION, "messages": [{"role": "user", "content": question}]}
        assert f"msg_{tenant}_{question}".encode() in call(pipe, body, key=f"sk-{tenant}").body
    assert len(upstream.sent) == len(set(calls))


def test_who_shows_two_credentials_is_told_apart_by_both():
    """One of the two may be a placeholder that everyone shows."""
    pipe = made()
    call(pipe, key="dummy", authorization="Bearer one")
    assert says(call(pipe, key="dummy", authorization="Bearer two")).startswith("miss")
    assert says(call(pipe, key="dummy", authorization="Bearer one")).startswith("hit")


ALIKE = {**QUESTION, "messages": [{"role": "user", "content": "how can i reset the password"}]}


def asked_alike(wanted, *bodies, calibrated=True, clear=None, cache="ttl=3600"):
    """What clients got of an FAQ, with the hits of its audit."""
    upstream = Upstream([message()])

    async def work():
        known = faq(wanted)
        await known.store.calibrate(CALIBRATED if calibrated else None)
        pipe = made(upstream, faq=known)
        told = []
        for body in bodies:
            told.append(await calling(pipe, body, cache=cache))
            if clear is not None:
                await clear(known)
        hits = await known.store.hits()
        await pipe.answers.close()
        return told, hits, pipe

    told, hits, pipe = asyncio.run(work())
    return told, hits, pipe, upstream


def test_an_alike_question_is_answered_and_every_answer_is_on_record():
    told, hits, pipe, upstream = asked_alike(FaqMode.ON, QUESTION, ALIKE)
    assert len(upstream.sent) == 1
    assert told[1].body == told[0].body
    assert says(told[1]) == f"faq; entry={hits[0].entry}; hit={hits[0].id}"
    assert (hits[0].asked, hits[0].served) == ("how can i reset the password", True)
    row = rows(pipe)[-1]
    assert (row["outcome"], row["without_us_pico"]) == ("answered", rows(pipe)[0]["cost_pico"])


def test_in_shadow_the_provider_answers_and_what_would_have_been_is_on_record():
    told, hits, pipe, upstream = asked_alike(FaqMode.SHADOW, QUESTION, ALIKE)
    assert len(upstream.sent) == 2
    assert says(told[1]).startswith("miss")
    assert [(hit.asked, hit.served) for hit in hits] == [("how can i reset the password", False)]
    assert [row["outcome"] for row in rows(pipe)] == ["ok", "ok"]
    _, hits, _, upstream = asked_alike(FaqMode.ON, QUESTION, ALIKE, calibrated=False)
    assert (len(upstream.sent), len(hits), hits[0].served) == (2, 1, False), "on without a threshold is shadow"


def test_a_revoked_answer_serves_nothing_from_then_on():
    async def revoke(known):
        for entry in await known.store.entries():
            await known.store.revoke(entry.id)

    _, hits, _, upstream = asked_alike(FaqMode.ON, QUESTION, ALIKE, clear=revoke)
    assert (len(upstream.sent), hits) == (2, [])


def test_a_refresh_is_not_answered_as_alike_and_replaces_what_was_learned():
    _, _, pipe, upstream = asked_alike(FaqMode.ON, QUESTION, ALIKE, cache="ttl=3600; refresh")
    assert len(upstream.sent) == 2
    assert pipe.answers.snapshot() == {"misses": 2, "kept": 2}


def test_a_learned_answer_holds_no_longer_than_the_call_allowed():
    upstream = Upstream([message()])

    async def work():
        known = faq()
        await known.store.calibrate(CALIBRATED)
        pipe = made(upstream, faq=known)
        await calling(pipe, cache="ttl=60")
        pipe.clock.at += 59 * SECOND
        assert says(await calling(pipe, ALIKE)).startswith("faq")
        pipe.clock.at += 2 * SECOND
        assert says(await calling(pipe, ALIKE)).startswith("miss")
        for entry in await known.store.entries():
            assert entry.expires_at <= pipe.clock.at + 3600 * SECOND < pipe.clock.at + DAY
        await pipe.answers.close()

    asyncio.run(work())


def test_a_matcher_that_fails_is_left_alone_for_a_while_and_the_call_goes_on():
    class Broken:
        name = "lexical-1"
        asked = 0

        async def scores(self, question, known):
            self.asked += 1
            raise ReplyStoreError(path="http://x", problem="it answered 500")

        async def close(self):
            pass

    upstream, matcher = Upstream([message()]), Broken()

    async def work():
        known = faq(matcher=matcher)
        await known.store.calibrate(CALIBRATED)
        pipe = made(upstream, faq=known)
        for body in (QUESTION, ALIKE, {**ALIKE, "messages": [{"role": "user", "content": "reset my password"}]}):
            assert (await calling(pipe, body)).body == message()
        await pipe.answers.close()
        return pipe

    pipe = asyncio.run(work())
    assert (len(upstream.sent), matcher.asked) == (3, 1)
    assert pipe.status.snapshot()["faults"][0]["component"] == "faq"


def test_a_translated_question_is_left_to_the_provider():
    chat_ask = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "how can i reset the password"}]}
    upstream = Upstream([message()])

    async def work():
        known = faq()
        await known.store.calibrate(CALIBRATED)
        pipe = made(upstream, faq=known)
        await calling(pipe)
        told = await calling(pipe, chat_ask, path="/v1/chat/completions")
        await pipe.answers.close()
        return told

    assert says(asyncio.run(work())).startswith("miss")


def test_what_became_of_calls_is_counted_in_few_kinds():
    pipe = made()
    for number in range(150):
        pipe.answers._count(f"kind {number}")
    assert len(pipe.answers.snapshot()) == 101
    assert pipe.answers.snapshot()["others"] == 50

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.test_reply_ends import anthropic_stream
from stores.replies.conformance import SEAL
from underspend.core.faq import MILLION, Calibration, FaqEntry, FaqMode, TooFew, particulars
from underspend.formats.reply_key import Questions
from underspend.stores.faq.answers import Alike, Faq
from underspend.stores.faq.lexical import Lexical
from underspend.stores.faq.sqlite import FaqStore
from underspend.stores.replies.cache import Finished

ON = Calibration(
    matcher="lexical-1",
    threshold=700_000,
    limit=10_000,
    confidence=950_000,
    bound=9_000,
    hits=600,
    wrong=0,
    pairs=700,
    found=800_000,
)
REPLY = Finished(status=200, content_type="text/event-stream", body=anthropic_stream(), model="m", request_id="r")
HOUR = 3600_000_000


def ask(text, *, system="s", stream=True, tools=None):
    body = {"model": "m", "stream": stream, "system": system, "messages": [{"role": "user", "content": text}]}
    raw = json.dumps(body | ({"tools": tools} if tools else {})).encode()
    around = {"tenant": "t", "provider": "p", "dialect": "anthropic", "target": "/", "headers": []}
    return Questions().read(raw, **around)


def run(work, *, wanted=FaqMode.ON, calibration=ON, matcher=None):
    async def whole():
        faq = Faq(FaqStore(None, SEAL), matcher or Lexical(), wanted=wanted, limit=10_000)
        await faq.store.calibrate(calibration)
        try:
            return await work(faq)
        finally:
            await faq.close()

    return asyncio.run(whole())


async def learn(faq, text="How do I reset my password?", *, tenant="one", now=0, **other):
    clears = await faq.store.clears()
    return await faq.learn(ask(text, **other), REPLY, tenant=tenant, ttl=HOUR, now=now, clears=clears)


def test_an_alike_question_gets_the_learned_reply_byte_for_byte_and_the_hit_is_written_down():
    async def work(faq):
        entry = await learn(faq)
        found = await faq.look(ask("how can i reset the password"), tenant="one", now=5)
        assert isinstance(found, Alike)
        assert found.served
        assert found.reply.body == REPLY.body
        head = dict(found.headers)
        assert head[b"x-underspend-cache"] == f"faq; entry={entry}; hit={found.hit}".encode()
        [hit] = await faq.store.hits()
        assert (hit.asked, hit.question) == ("how can i reset the password", "How do I reset my password?")
        assert (hit.served, hit.at, hit.score) == (True, 5, found.score)

    run(work)


@pytest.mark.parametrize(
    ("text", "other", "tenant", "now"),
    [
        ("Where is my invoice?", {}, "one", 1),
        ("How do I not reset my password?", {}, "one", 1),
        ("How do I reset my password 2?", {}, "one", 1),
        ("How do I reset my password?", {"system": "other"}, "one", 1),
        ("How do I reset my password?", {"stream": False}, "one", 1),
        ("How do I reset my password?", {"tools": [{"name": "t"}]}, "one", 1),
        ("How do I reset my password?", {}, "two", 1),
        ("How do I reset my password?", {}, "*", 1),
        ("How do I reset my password?", {}, "", 1),
        ("How do I reset my password?", {}, "one", HOUR),
        ("How do I reset my password? " * 100, {}, "one", 1),
    ],
)
def test_all_else_must_be_the_same(text, other, tenant, now):
    async def work(faq):
        await learn(faq)
        return await faq.look(ask(text, **other), tenant=tenant, now=now)

    assert run(work) is None


@pytest.mark.parametrize(
    ("wanted", "calibration"),
    [(FaqMode.SHADOW, ON), (FaqMode.ON, None), (FaqMode.ON, replace(ON, matcher="other"))],
)
def test_in_shadow_it_is_written_down_and_not_answered(wanted, calibration):
    async def work(faq):
        await learn(faq)
        found = await faq.look(ask("How can I reset my password?"), tenant="one", now=1)
        assert found is not None
        assert not found.served
        assert [hit.served for hit in await faq.store.hits()] == [False]

    run(work, wanted=wanted, calibration=calibration)


def test_off_is_off():
    async def work(faq):
        assert await learn(faq) is None
        assert await faq.look(ask("x"), tenant="one", now=1) is None
        assert (await faq.standing()).mode is FaqMode.OFF

    run(work, wanted=FaqMode.OFF)


def test_a_question_is_learned_once_and_not_after_a_clear():
    async def work(faq):
        assert await learn(faq)
        assert await learn(faq) is None
        assert await learn(faq, tenant="two")
        clears = await faq.store.clears()
        await faq.store.clear()
        late = await faq.learn(ask("New one?"), REPLY, tenant="one", ttl=HOUR, now=0, clears=clears)
        assert late is None
        assert await faq.store.entries() == []

    run(work)


def test_what_is_revoked_serves_nothing_even_while_it_is_compared():
    class Slow(Lexical):
        def __init__(self):
            self.meanwhile = None

        async def scores(self, question, known):
            if self.meanwhile is not None:
                await self.meanwhile()
            return await super().scores(question, known)

    slow = Slow()

    async def work(faq):
        entry = await learn(faq)
        question = ask("How can I reset my password?")
        assert await faq.look(question, tenant="one", now=1) is not None

        async def revoke():
            slow.meanwhile = None
            await faq.store.revoke(entry)
            await faq.standing()  # as another call meanwhile has it read again

        slow.meanwhile = revoke
        assert await faq.look(question, tenant="one", now=1) is None
        slow.meanwhile = None
        assert await faq.look(question, tenant="one", now=1) is None

    run(work, matcher=slow)


@pytest.mark.parametrize("stream", [True, False])
def test_a_curated_answer_serves_whom_it_is_for(stream):
    entry = FaqEntry(
        id="c1",
        tenant="*",
        frame=b"",
        question="What are your opening hours?",
        answer=b"From nine.",
        curated=True,
        made_at=0,
        expires_at=0,
    )

    async def work(faq):
        await faq.store.add(entry, 0)
        await faq.store.add(replace(entry, id="c2", tenant="two", question="Who are you?"), 0)
        found = await faq.look(ask("what are the opening hours", stream=stream), tenant="one", now=HOUR * 9)
        assert b"From nine." in found.reply.body
        assert (b"content-length" in dict(found.headers)) != stream
        assert await faq.look(ask("Who are you?", stream=stream), tenant="one", now=1) is None
        assert await faq.look(ask("Who are you?", stream=stream), tenant="two", now=1) is not None

    run(work)


def test_an_answer_that_cannot_be_read_is_none():
    async def work(faq):
        entry = FaqEntry(
            id="x",
            tenant="one",
            frame=ask("a").frame,
            question="How much?",
            answer=b"broken",
            curated=False,
            made_at=0,
            expires_at=HOUR,
        )
        await faq.store.add(entry, 0)
        return await faq.look(ask("How much?"), tenant="one", now=1)

    assert run(work) is None


def test_calibration_goes_by_given_pairs_and_labelled_hits():
    async def work(faq):
        await learn(faq)
        assert isinstance(await faq.calibrate([("a", "a", True)] * 10), TooFew)
        assert await faq.store.calibration() is None
        found = await faq.look(ask("How can I reset my password?"), tenant="one", now=1)
        await faq.store.label(found.hit, right=True)
        word = [f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(600)]
        pairs = [(f"About {each}?", f"about {each}", True) for each in word]
        pairs += [(f"About {each}?", "something else entirely", False) for each in word]
        pairs += [("With 1?", "With 2?", False)] * 50
        made = await faq.calibrate(pairs)
        assert isinstance(made, Calibration)
        assert made.pairs == 1201
        assert made.wrong == 0
        assert (await faq.standing()).mode is FaqMode.ON
        assert (await faq.store.calibration()) == made

    run(work, calibration=None)


@settings(max_examples=40, deadline=None)
@given(
    known=st.lists(
        st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["s", "z"]), st.text("ab1 no", max_size=9))
    ),
    asked=st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["s", "z"]), st.text("ab1 no", max_size=9)),
)
def test_no_answer_crosses_tenants_or_frames_or_particulars(known, asked):
    async def work(faq):
        whose = {}
        for tenant, system, text in known:
            entry = await learn(faq, text, tenant=tenant, system=system)
            if entry is not None:
                whose[entry] = (tenant, system, text)
        tenant, system, text = asked
        found = await faq.look(ask(text, system=system), tenant=tenant, now=1)
        if found is not None:
            assert whose[found.entry][:2] == (tenant, system)
            assert particulars(whose[found.entry][2]) == particulars(text)
            assert found.score >= ON.threshold
            assert found.score <= MILLION

    run(work)


def test_a_refreshed_answer_takes_the_place_of_a_learned_one_and_of_no_curated_one():
    async def work(faq):
        first = await learn(faq)
        other = replace(REPLY, body=anthropic_stream() + b"\n")
        about = {"tenant": "one", "ttl": HOUR, "now": 1, "clears": await faq.store.clears()}
        asked = ask("How do I reset my password?")
        assert await faq.learn(asked, other, **about) is None
        second = await faq.learn(asked, other, instead=True, **about)
        assert second not in {None, first}
        assert [entry.id for entry in await faq.store.entries()] == [second]
        mine = FaqEntry(
            id="mine",
            tenant="one",
            frame=b"",
            question="How do I pay?",
            answer=b"By card.",
            curated=True,
            made_at=0,
            expires_at=0,
        )
        await faq.store.add(mine, await faq.store.clears())
        assert await faq.learn(ask("How do I pay?"), other, instead=True, **about) is None

    run(work)

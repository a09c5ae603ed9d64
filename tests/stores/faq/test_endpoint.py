from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from underspend.core.faq import MILLION
from underspend.core.replies import ReplyStoreError
from underspend.stores.faq.endpoint import Endpoint

WORDS = ("cat", "dog", "sun")


def vector(text):
    return [float(text.count(word)) for word in WORDS] + [0.001] + [0.0] * 1500  # as long as real ones


@asynccontextmanager
async def embeddings(answer=None, status=200):
    asked = []

    async def serve(request):
        body = await request.json()
        asked.append((request.headers.get("authorization"), body))
        data = [{"index": n, "embedding": vector(text)} for n, text in enumerate(body["input"])]
        made = {"data": data[::-1]} if answer is None else answer
        return web.Response(body=json.dumps(made) if not isinstance(made, bytes) else made, status=status)

    app = web.Application()
    app.router.add_post("/v1/embeddings", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}/v1", asked
    finally:
        await runner.cleanup()


def test_questions_are_embedded_once_and_compared_by_cosine():
    async def work():
        async with embeddings() as (url, asked):
            matcher = Endpoint(url + "/", "small", key="k")
            scores = await matcher.scores("cat cat", ["cat", "dog", "cat dog"])
            assert scores[0] == pytest.approx(MILLION, abs=10)
            assert scores[1] < 10
            assert scores[2] == pytest.approx(707_107, abs=50)
            assert await matcher.scores("cat", ["dog"]) == await matcher.scores("dog", ["cat"])
            assert len(asked) == 1
            assert asked[0][0] == "Bearer k"
            assert asked[0][1]["model"] == "small"
            await matcher.scores("sun", [f"cat {n}" for n in range(100)])
            assert [len(body["input"]) for _, body in asked] == [4, 64, 37]
            await matcher.close()

    asyncio.run(work())


BAD = [
    {},
    {"data": []},
    {"data": [{"index": 0, "embedding": [1.0]}]},
    {"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]},
    {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": ["x"]}]},
    {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [0.0]}]},
    {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": "x"}]},
    {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]},
    b"<html>",
]


@pytest.mark.parametrize("answer", BAD, ids=range(len(BAD)))
def test_an_answer_that_is_none_is_one_kind_of_error(answer):
    async def work():
        async with embeddings(answer) as (url, _):
            matcher = Endpoint(url, "m")
            with pytest.raises(ReplyStoreError):
                await matcher.scores("a", ["b"])
            await matcher.close()

    asyncio.run(work())


def test_a_server_that_refuses_or_is_not_there_is_the_same_error_and_no_secret_is_shown():
    async def work():
        async with embeddings(status=401) as (url, _):
            matcher = Endpoint(url, "m")
            with pytest.raises(ReplyStoreError, match="it answered 401"):
                await matcher.scores("a", ["b"])
            await matcher.close()
        gone = Endpoint(url.replace("//", "//me:secret@"), "m", seconds=1)
        assert "secret" not in gone.name
        with pytest.raises(ReplyStoreError) as caught:
            await gone.scores("a", ["b"])
        assert "secret" not in str(caught.value)
        await gone.close()
        await Endpoint(url, "m").close()

    asyncio.run(work())

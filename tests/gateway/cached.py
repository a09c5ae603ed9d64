"""Pipelines in memory that answer from a cache, and calls for them."""

import asyncio
import json

from doubles import Asked, Told, Upstream, pipeline
from replies import message

from stores.replies.conformance import SEAL
from underspend.core.faq import Calibration, FaqMode
from underspend.core.replies import Rules
from underspend.gateway.answers import Answers
from underspend.gateway.credentials import KeyHasher
from underspend.gateway.routes import classify
from underspend.stores.faq.answers import Faq
from underspend.stores.faq.lexical import Lexical
from underspend.stores.faq.sqlite import FaqStore
from underspend.stores.replies.cache import ReplyCache
from underspend.stores.replies.memory import MemoryReplies

KEYS = KeyHasher(b"k" * 32)
DAY = 86_400_000_000
QUESTION = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "How do I reset my password?"}],
}
CALIBRATED = Calibration(
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


class Ticking:
    """A clock that is told the time."""

    def __init__(self, at=1_795_160_000_000_000):
        self.at = at

    def now(self):
        return self.at


def made(upstream=None, *, store=None, rules=None, routes=(), faq=None, holdout=None, **options):
    """A pipeline with a cache in memory, whose clock is told the time."""
    clock = options.pop("clock", None) or Ticking()
    pipe = pipeline(upstream or Upstream([message()]), clock=clock, **options)
    pipe.answers = Answers(
        cache=ReplyCache(store or MemoryReplies(10**7), rules or Rules()),
        books=pipe.books,
        keys=KEYS,
        routes=routes,
        faq=faq,
        learned_for=7 * DAY,
        **({"holdout": holdout} if holdout else {}),
    )
    return pipe


def faq(wanted=FaqMode.ON, matcher=None):
    return Faq(FaqStore(None, SEAL), matcher or Lexical(), wanted=wanted, limit=10_000)


async def calling(pipe, body=None, *, cache="ttl=3600", key="sk-one", path="/v1/messages", told=None, **headers):
    """One call, in the loop that runs; what the client got."""
    raw = body if isinstance(body, bytes) else json.dumps(QUESTION if body is None else body).encode()
    fields = {"x-api-key": key, "x-underspend-cache": cache, **headers}
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items() if value is not None]
    told = told or Told()
    plain, _, query = path.partition("?")
    asked = Asked(raw, path=plain.encode(), query=query.encode(), headers=lines)
    await pipe.handle(asked, told, classify("POST", plain))
    return told


def call(pipe, body=None, **options):
    return asyncio.run(calling(pipe, body, **options))


def says(told):
    return dict(told.headers).get(b"x-underspend-cache", b"").decode()


def rows(pipe):
    return list(pipe.books.ledger.calls.values())

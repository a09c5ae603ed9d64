import asyncio
import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from stores.replies.conformance import row
from underspend.cli import reading
from underspend.cli.cache import command
from underspend.config import load
from underspend.config.cache import FaqAnswers, ResponseCache
from underspend.core.errors import NotFoundError
from underspend.core.faq import FaqEntry
from underspend.core.replies import SECOND, ReplyStoreError
from underspend.stores.replies.cache import Finished, body_of

HOUR = 3600 * SECOND
REPLY = Finished(status=200, content_type="application/json", body=b'{"type":"message"}\n', request_id="req_9")


@pytest.fixture
def use(home):
    """Runs `underspend cache …` in this process."""

    def call(*arguments):
        return CliRunner().invoke(command, arguments, catch_exceptions=True)

    return call


def filled(home, *rows):
    async def work():
        store = ResponseCache().store(home)
        for each in rows:
            clears = (await store.get(b"", "", 0)).clears
            await store.put(each, clears)
            await store.get(each.key, each.tenant, reading.now())
        await store.close()

    asyncio.run(work())


def kept(name, **changes):
    now = reading.now()
    made = replace(row(name, **changes), kept_at=now, expires_at=now + HOUR, body=body_of(REPLY), cost=12 * 10**9)
    return replace(made, key=name.encode() * 32)


def test_an_empty_cache(use):
    assert use("stats").output == "0 replies, 0 bytes (0% of what is allowed), 0 hits\n"
    assert use("list").output == "No replies are kept.\n"
    assert use("clear", "--all").output == "0 replies forgotten\n"


def test_what_is_kept(use, home):
    filled(home, kept("a", tags="docs v1"), kept("b", tenant="key-2"))
    assert use("stats").output.startswith("2 replies, ")
    assert json.loads(use("stats", "--json").stdout)["hits"] == 2
    lines = use("list").output.splitlines()
    assert lines[0].split() == ["reply", "model", "tags", "whose", "bytes", "hits", "cost", "once", "ends", "in"]
    assert lines[1].split()[0] == "61" * 6
    assert "docs, v1" in lines[1]
    assert "$0.012" in lines[1]
    assert "1 h 00 min" in lines[1]
    shapes = json.loads(use("list", "--tag", "docs", "--json").stdout)
    assert [shape["reply"] for shape in shapes] == ["61" * 32]
    assert shapes[0]["tags"] == ["docs", "v1"]


def test_one_reply_and_looking_at_it_is_no_hit(use, home):
    filled(home, kept("a"), kept("b"))
    shown = use("show", "6161").output
    assert "req_9" in shown
    assert use("show", "6161", "--body").stdout_bytes == REPLY.body
    assert json.loads(use("stats", "--json").stdout)["hits"] == 2
    assert isinstance(use("show", "6").exception, NotFoundError)
    assert "Write more" in str(use("show", "6").exception)
    assert "No reply 77" in str(use("show", "77").exception)
    (home / "replies.key").write_bytes(bytes(32))
    assert "does not open" in str(use("show", "6161").exception)


def test_forgetting(use, home):
    filled(home, kept("a", tags="docs"), kept("b", tags="docs"), kept("c"), kept("d"))
    assert use("clear", "--tag", "docs").output == "2 replies forgotten\n"
    assert use("clear", "--reply", "6363").output == "1 reply forgotten\n"
    assert use("clear", "--all").output == "1 reply forgotten\n"
    for wrong in ((), ("--all", "--tag", "x")):
        assert "Say what to forget" in use("clear", *wrong).output


def test_a_cache_in_memory_is_the_gateways_own(use, home, monkeypatch):
    class Settings:
        paths = load().paths
        cache = ResponseCache(url="memory:")

    monkeypatch.setattr("underspend.cli.cache.load", lambda: Settings)
    assert "it ends when the gateway is stopped" in use("stats").output


def test_a_cache_that_cannot_be_opened_is_one_line(use, home):
    (home / "replies.key").write_bytes(b"x")
    assert isinstance(use("stats").exception, ReplyStoreError)


def test_a_clear_takes_what_the_faq_has_learned_with_it(use, home):
    async def work():
        store = FaqAnswers().opened(home, "file").store
        await store.add(replace(LEARNED, id="e1"), 0)
        await store.add(replace(LEARNED, id="e2", curated=True), 0)
        await store.close()

    asyncio.run(work())
    filled(home, kept("a", tags="docs"))
    said = "1 reply forgotten\n1 learned answer of the FAQ with them\n"
    assert use("clear", "--tag", "docs").output == said
    assert use("clear", "--all").output == "0 replies forgotten\n"


LEARNED = FaqEntry(
    id="e1",
    tenant="one",
    frame=b"f",
    question="How do I pay?",
    answer=b"x",
    curated=False,
    made_at=5,
    expires_at=2**60,
)

import asyncio

import pytest
from cached import KEYS
from doubles import Upstream, pipeline

from underspend.config.load import load
from underspend.core.errors import ConfigError
from underspend.core.replies import SECOND, ReplyStoreError
from underspend.gateway.answering import answers_of, closing


def answers(folder, text):
    books = pipeline(Upstream([])).books
    return answers_of(load(home=folder, text=text, environ={}), books, KEYS), books


def test_nothing_is_opened_unless_the_cache_is_on(tmp_path):
    made, books = answers(tmp_path, '[cache]\nurl = "memory:"\n')
    assert made is None
    assert books.status.answers is None
    assert list(tmp_path.iterdir()) == []


def test_settings_reach_the_parts_and_stores_are_closed(tmp_path):
    text = """
        [cache]
        enabled = true
        any_temperature = true
        [[cache.routes]]
        ttl = 60
        project = "docs-*"
        [faq]
        mode = "shadow"
        days = 2
        [subscription]
        act = true
        [proof]
        holdout = 1.0
    """
    made, books = answers(tmp_path, text)
    assert (made.cache.rules.any_temperature, made.cache.rules.subscription) == (True, True)
    assert (made.routes[0].ttl, made.routes[0].project) == (60 * SECOND, "docs-*")
    assert made.learned_for == 2 * 86_400 * SECOND
    assert made.faq is not None
    assert made.holdout.holds("any")
    assert books.status.snapshot()["answers"] == {}

    async def work():
        async with closing(made):
            assert (await made.cache.store.stock(0)).rows == 0
        async with closing(None):
            pass

    asyncio.run(work())
    assert {path.name for path in tmp_path.iterdir()} >= {"replies.sqlite3", "replies.key", "faq.sqlite3"}


def test_a_store_that_fails_at_the_end_is_a_fault_and_no_more(tmp_path):
    made, books = answers(tmp_path, '[cache]\nenabled = true\nurl = "memory:"\n')

    async def fails():
        raise ReplyStoreError(path="x", problem="gone")

    made.cache.store.close = fails

    async def closes():
        async with closing(made):
            pass

    asyncio.run(closes())
    assert books.status.snapshot()["faults"][0]["component"] == "cache"


def test_settings_that_do_not_fit_together_are_one_clear_line(tmp_path):
    with pytest.raises(ConfigError, match=r"faq.mode = on: .*that is off.*enabled = true"):
        answers(tmp_path, '[faq]\nmode = "on"\n')
    with pytest.raises(ConfigError, match=r"config.toml.*`modle`"):
        answers(tmp_path, '[cache]\nenabled = true\n[[cache.routes]]\nttl = 5\nmodle = "x"\n')
    with pytest.raises(ConfigError, match=r"config.toml.*cache.routes"):
        answers(tmp_path, '[cache]\n[[cache.routes]]\nttl = 5\ntags = ["no good"]\n')
    with pytest.raises(ReplyStoreError, match="ftp"):
        answers(tmp_path, '[cache]\nenabled = true\nurl = "ftp://x"\n')

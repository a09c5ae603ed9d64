from __future__ import annotations

import asyncio

import msgspec
import pytest

from underspend.config.cache import FaqAnswers, ResponseCache
from underspend.core.errors import ConfigError
from underspend.core.faq import FaqMode
from underspend.core.replies import SECOND, CacheRoute, Rules
from underspend.stores.faq.endpoint import Endpoint
from underspend.stores.replies.memory import MemoryReplies
from underspend.stores.replies.sealed import SealedReplies


def test_nothing_is_kept_or_answered_unless_it_is_turned_on():
    assert not ResponseCache().enabled
    assert FaqAnswers().mode == "off"
    assert ResponseCache().rules() == Rules()
    assert ResponseCache().opted_in() == ()


def test_a_table_makes_rules_routes_and_a_store(tmp_path):
    table = {
        "url": "memory:",
        "longest_hours": 2,
        "largest_kb": 3,
        "any_temperature": True,
        "routes": [{"ttl": 60, "tags": ["docs"], "project": "a*"}, {"ttl": 5, "model": "m", "key": "k"}],
    }
    made = msgspec.convert(table, ResponseCache)
    expected = Rules(longest=7200 * SECOND, largest=3000, any_temperature=True, subscription=True)
    assert made.rules(subscription=True) == expected
    assert made.opted_in() == (
        CacheRoute(ttl=60 * SECOND, tags=("docs",), project="a*"),
        CacheRoute(ttl=5 * SECOND, model="m", key="k"),
    )
    assert isinstance(made.store(tmp_path), MemoryReplies)
    at_rest = ResponseCache().store(tmp_path)
    assert isinstance(at_rest, SealedReplies)
    asyncio.run(at_rest.close())
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"routes": [{"ttl": 0}]}, ResponseCache)


def test_every_setting_says_what_it_does():
    for section in (ResponseCache, FaqAnswers):
        for field in msgspec.json.schema(section)["$defs"][section.__name__]["properties"].values():
            assert field["description"].endswith(".")


def test_questions_are_compared_by_what_the_user_chose(tmp_path):
    faq = FaqAnswers(mode="on", wrong_percent=2.5).opened(tmp_path, "file")
    assert (faq.matcher.name, faq._wanted, faq._limit) == ("lexical-1", FaqMode.ON, 25_000)
    asyncio.run(faq.close())
    chosen = FaqAnswers(matcher="endpoint", url="http://127.0.0.1:9/v1", model="small", key_variable="KEY")
    faq = chosen.opened(tmp_path, "file", {"KEY": "secret"})
    assert isinstance(faq.matcher, Endpoint)
    assert faq.matcher.name == "small at http://127.0.0.1:9/v1"
    assert faq.matcher._headers == {"authorization": "Bearer secret"}
    asyncio.run(faq.close())
    with pytest.raises(ConfigError, match="no url or no model"):
        FaqAnswers(matcher="endpoint", url="http://x").opened(tmp_path, "file")

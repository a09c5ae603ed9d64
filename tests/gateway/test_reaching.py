import asyncio

import pytest

from underspend.config import load
from underspend.core.errors import ConfigError
from underspend.gateway.reaching import destinations_of, opened
from underspend.gateway.transport import UpstreamUnreachableError
from underspend.pricing.catalogue import catalogue
from underspend.providers.keys import Secret

TEXT = """
[upstream]
anthropic = "https://proxy.example/claude"
[providers.groq]
key = "env:GROQ"
[providers.mine]
base_url = "http://127.0.0.1:9/v1"
[providers.work]
kind = "anthropic"
key = "client"
[fallbacks]
"claude-opus-5-5" = ["groq/x"]
"""


def made(tmp_path, environ):
    return destinations_of(load(home=tmp_path, environ={}, text=TEXT), catalogue(), environ)


def test_each_provider_with_its_key_and_address(tmp_path):
    there = made(tmp_path, {"GROQ": "gsk"})
    assert [each.name for each in there.everyone] == ["anthropic", "groq", "mine", "work"]
    assert (there.home.home, there.home.host, there.home.upstream.name) == (True, "proxy.example", "proxy.example")
    assert [each.key for each in there.others] == [Secret("gsk"), None, None]
    assert [each.shows_clients_key for each in there.everyone] == [True, False, False, True]
    assert [each.upstream.name for each in there.others] == ["api.groq.com", "127.0.0.1:9", "api.anthropic.com"]
    assert not there.plain
    assert "gsk" not in repr(there.others)


def test_a_key_that_is_not_there_stops_the_start_and_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"providers.groq.key: the variable GROQ is not set"):
        made(tmp_path, {})


def test_calls_can_be_sent_while_they_are_open_only(tmp_path):
    there = made(tmp_path, {"GROQ": "gsk"})

    async def main():
        upstream = there.others[1].upstream
        with pytest.raises(UpstreamUnreachableError, match="not started"):
            await upstream.send("GET", "/", [], None)
        async with opened(there):
            with pytest.raises(UpstreamUnreachableError, match=r"127\.0\.0\.1"):
                await upstream.send("GET", "/", [], None)

    asyncio.run(main())

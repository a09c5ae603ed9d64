from __future__ import annotations

import sys

import pytest

from stores.holds.servers import Server
from underspend.core.holds import Booking, Claim, HoldsError, Reserved
from underspend.core.windows import DAY, FOREVER
from underspend.stores.holds.redis import RedisHolds

NOW = 1_790_000_000_000_000
CLAIM = Claim("b", "b|", "b|", 100, enforced=True, bucket=0, since=0, until=FOREVER, forget=NOW + DAY)


def test_without_the_client_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(HoldsError, match=r"pip install 'underspend\[redis\]'"):
        RedisHolds("redis://localhost")


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(HoldsError, match=r"127\.0\.0\.1:1 cannot be used") as caught:
        RedisHolds("redis://:secret@127.0.0.1:1", seconds=0.2)
    assert "secret" not in str(caught.value)
    with pytest.raises(HoldsError, match="its URL is wrong"):
        RedisHolds("http://localhost")


def test_a_server_that_evicts_keys_is_refused() -> None:
    server = Server("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(HoldsError, match="maxmemory-policy noeviction"):
            RedisHolds(server.url)
    finally:
        server.close()


def test_a_server_that_goes_away_is_an_error_and_comes_back_as_an_empty_one() -> None:
    server = Server()
    try:
        holds = RedisHolds(server.url, seconds=0.5)
        holds.restore("b|", (), now=NOW)
        server.kill()
        with pytest.raises(HoldsError, match="cannot be used"):
            holds.reserve("a", (CLAIM,), 1, now=NOW, expires=NOW + 5)
        with pytest.raises(HoldsError):
            holds.overrides(now=NOW)
        server.start()
        assert holds.lacking(("b|",)) == ("b|",)
        holds.close()
    finally:
        server.close()


def test_installations_on_one_server_do_not_see_each_other_and_all_keys_are_in_one_slot(server: Server) -> None:
    one, two = RedisHolds(server.url, prefix="one"), RedisHolds(server.url, prefix="two")
    before = set(one._client.keys())
    one.restore("b|", (Booking("b|", 0, 7, NOW + DAY),), now=NOW)
    assert isinstance(one.reserve("a", (CLAIM,), 1, now=NOW, expires=NOW + 5), Reserved)
    assert two.lacking(("b|",)) == ("b|",)
    assert all(name.startswith("{one}:") for name in set(one._client.keys()) - before)
    one.close()
    two.close()


def test_the_rubbish_is_collected_by_the_server_and_never_before_its_time(server: Server) -> None:
    holds = RedisHolds(server.url, prefix="rubbish")
    holds.restore("b|", (), now=NOW)
    holds.reserve("a", (CLAIM,), 1, now=NOW, expires=NOW + 5)
    holds.settle("a", 1, now=NOW)
    lives = {name.removeprefix("{rubbish}:"): holds._client.pttl(name) for name in holds._client.keys("{rubbish}:*")}
    assert lives.pop("series") == -1
    assert lives.keys() == {"call:a", "spent:b|", "accounts:b|"}
    assert all(2 * DAY / 1_000 < life < 4 * DAY / 1_000 for life in lives.values())
    holds.close()

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from advisors.scenes import MINUTE, advise, assert_sound, histories, line, mark, reply
from underspend.advisors.cache_busts import CacheBusts
from underspend.core.advisor import Confidence, Urgency
from underspend.core.history import History, MarkKind


@given(histories(), st.integers(0, 5))
def test_it_is_sound(told: History, seed: int) -> None:
    assert_sound(CacheBusts(), told, seed)


def test_each_cause_is_a_finding_with_its_events() -> None:
    found = advise(
        CacheBusts(),
        line(
            reply("a", 0, w5=20_000),
            reply("b", 9 * MINUTE, w5=21_000),
            reply("c", 10 * MINUTE, w5=22_000, model="n"),
            reply("d", 19 * MINUTE, w5=30_000, model="n"),
        ),
    )
    assert list(found) == ["cache-busts/model-switch", "cache-busts/short-break"]
    assert found["cache-busts/model-switch"].amount == 21_000 * 115
    short = found["cache-busts/short-break"]
    assert short.amount == (20_000 + 22_000) * 115
    assert short.confidence is Confidence.HIGH
    assert [row["message"] for row in short.rows] == ["d", "b"]
    assert short.rows[1] == {
        "session": "s",
        "agent": "",
        "when": "1970-01-01 00:09Z",
        "gap minutes": 9,
        "ttl minutes": 5,
        "tokens rewritten": 20_000,
        "tokens kept": 0,
        "cost": "$0.00000230",
        "detail": "",
        "provider said": "",
        "message": "b",
    }


def test_a_longer_lifetime_is_advised_where_it_would_have_paid() -> None:
    pays = advise(CacheBusts(), line(reply("a", 0, w5=20_000), *_breaks(3)))["cache-busts/short-break"]
    assert pays.urgency is Urgency.FIX_NOW
    # Spared: 60,300 tokens at 115. Still written, at 75 more: 20,000 at first and 100 after each break.
    assert "ENABLE_PROMPT_CACHING_1H=1" in pays.fix
    assert "$0.00000152 more and spared $0.00000693; they pay from 1 such breaks on, and you had 3" in pays.fix

    other = line(reply("z", 0, w5=90_000), session="t")
    not_so = advise(CacheBusts(), line(reply("a", 0, w5=20_000), *_breaks(1)), other)["cache-busts/short-break"]
    assert not_so.urgency is Urgency.HABIT
    assert not_so.fix.startswith("Keep the five-minute cache for main sessions")


def _breaks(count: int):
    return [reply(f"b{n}", n * 9 * MINUTE, w5=20_000 + 100 * n) for n in range(1, count + 1)]


def test_sub_agents_have_a_setting_of_their_own() -> None:
    found = advise(CacheBusts(), line(reply("a", 0, w5=20_000), *_breaks(3), agent="x"))["cache-busts/short-break"]
    assert "CLAUDE_CODE_SUBAGENT_PROMPT_CACHE_TTL=1h" in found.fix


def test_a_compaction_is_told_and_saves_nothing() -> None:
    found = advise(
        CacheBusts(), line(reply("a", 0, w5=90_000), mark(MarkKind.COMPACTION), reply("b", MINUTE, w5=9_000))
    )["cache-busts/compaction"]
    assert (found.amount, found.claims, found.urgency) == (0, (), Urgency.FYI)
    assert found.title == "The cache was written again once after compactions: $0.00000104 for 9,000 tokens"


def test_long_writes_that_did_not_pay() -> None:
    calls = [reply(f"m{n:02}", n * MINUTE, read=1_000 * n, w1=1_000) for n in range(20)]
    found = advise(CacheBusts(), line(*calls))
    assert found["cache-busts/shorter-lifetime"].amount == 20_000 * 75
    assert "FORCE_PROMPT_CACHING_5M=1" in found["cache-busts/shorter-lifetime"].fix
    assert advise(CacheBusts(), line(*calls[:19])) == {}
    agents = advise(CacheBusts(), line(*calls, agent="x"))
    assert "SUBAGENT_PROMPT_CACHE_TTL=5m" in agents["cache-busts/shorter-lifetime-agents"].fix


def test_what_the_breaks_would_have_cost_is_taken_off() -> None:
    calls = [reply(f"m{n:02}", n * MINUTE, read=1_000 * n, w1=1_000) for n in range(20)]
    later = reply("z", 27 * MINUTE, read=10_000, w1=11_000)
    found = advise(CacheBusts(), line(*calls[:10], later), line(*calls[10:], session="t"))
    # 20 writes of 1,000 and one of 11,000; the break before z would have rewritten the 10,000 it read.
    assert found["cache-busts/shorter-lifetime"].amount == 31_000 * 75 - 10_000 * 115

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from advisors.scenes import MINUTE, advise, assert_sound, histories, line, mark, reply, result, typed, use
from underspend.advisors.context_growth import ContextGrowth
from underspend.core.history import Event, History, MarkKind, ToolUse


@given(histories(), st.integers(0, 5))
def test_it_is_sound(told: History, seed: int) -> None:
    assert_sound(ContextGrowth(), told, seed)


def grown(*after: Event, tools: tuple[ToolUse, ...] = (), size: int = 0) -> list[Event]:
    """A session that begins with 10,000 tokens and has 80,000 when the person types again."""
    return [
        typed(0),
        reply("a", 1, w5=10_000, tools=tools),
        *(result(tool.id, size, 1) for tool in tools),
        reply("b", MINUTE, read=10_000, w5=70_000),
        *after,
    ]


def calls(count: int) -> list[Event]:
    return [reply(f"c{n:02}", (2 + n) * MINUTE, read=80_000) for n in range(count)]


def test_a_fresh_start_spares_what_it_drops_and_pays_for_what_it_keeps() -> None:
    found = advise(ContextGrowth(), line(*grown(typed(MINUTE), *calls(30))))
    clear = found["context-growth/clear"]
    # 70,000 tokens spared 30 times at 10; the 10,000 kept are written once at 125 rather than read at 10.
    assert clear.amount == 30 * 70_000 * 10 - 10_000 * 115
    assert clear.rows == [
        {
            "session": "s",
            "best prompt": "1970-01-01 00:01Z",
            "context": 80_000,
            "kept": 10_000,
            "calls after": 30,
            "saved": "$0.0000198",
        }
    ]
    assert {claim.message_id for claim in clear.claims} == {f"c{n:02}" for n in range(30)}


def test_what_was_typed_and_said_is_kept() -> None:
    events = grown(typed(MINUTE, 7_000), *calls(30))
    events[1] = reply("a", 1, w5=10_000, text_chars=3_500)
    clear = advise(ContextGrowth(), line(*events))["context-growth/clear"]
    assert clear.rows[0]["kept"] == 13_000


def test_a_file_used_again_later_is_kept() -> None:
    first, again = use("u", "Read", "/a"), reply("z", 90 * MINUTE, read=80_000, tools=(use("v", "Edit", "/a"),))
    kept = advise(ContextGrowth(), line(*grown(typed(MINUTE), *calls(30), again, tools=(first,), size=35_000)))
    assert kept["context-growth/clear"].rows[0]["kept"] == 20_000
    gone = advise(ContextGrowth(), line(*grown(typed(MINUTE), *calls(30), tools=(first,), size=35_000)))
    assert gone["context-growth/clear"].rows[0]["kept"] == 10_000


def test_where_too_little_follows_it_saves_nothing() -> None:
    assert list(advise(ContextGrowth(), line(*grown(typed(MINUTE), *calls(1))))) == ["context-growth/curve"]


def test_what_is_rewritten_anyway_is_not_written_twice() -> None:
    rewritten = reply("r", 9 * MINUTE, w5=80_000)
    clear = advise(ContextGrowth(), line(*grown(typed(9 * MINUTE), rewritten)))["context-growth/clear"]
    assert clear.amount == 70_000 * 125


def test_only_a_persons_prompts_in_main_sessions_are_boundaries() -> None:
    by_program = grown(typed(MINUTE, by_person=False), *calls(30))
    assert "context-growth/clear" not in advise(ContextGrowth(), line(*by_program))
    assert advise(ContextGrowth(), line(*grown(typed(MINUTE), *calls(30)), agent="x")) == {}


def test_it_spares_nothing_after_the_next_compaction() -> None:
    events = grown(typed(MINUTE), *calls(20), mark(MarkKind.COMPACTION))
    later = [reply(f"d{n:02}", (60 + n) * MINUTE, read=80_000) for n in range(10)]
    assert advise(ContextGrowth(), line(*events, *later))["context-growth/clear"].amount == 20 * 700_000 - 1_150_000


def test_the_curve_says_what_each_size_cost() -> None:
    curve = advise(ContextGrowth(), line(*grown(typed(MINUTE), *calls(30))))["context-growth/curve"]
    assert (curve.amount, curve.claims) == (0, ())
    assert [(row["context above"], row["spent on reading it"], row["fresh starts"]) for row in curve.rows] == [
        (25_000, "$0.0000165", 1),
        (50_000, "$0.00000900", 1),
        (75_000, "$0.00000150", 1),
    ]
    assert 30 * 55_000 * 10 == 16_500_000


def test_a_session_that_stayed_small_is_no_news() -> None:
    assert advise(ContextGrowth(), line(typed(), reply("a", 1, w5=9_000), reply("b", 2, read=9_000))) == {}

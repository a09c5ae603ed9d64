from __future__ import annotations

from advisors.scenes import MINUTE, around, history, line, mark, reply
from underspend.advisors.cache_busts.causes import Cause
from underspend.advisors.cache_busts.ledger import Rewrite, lines
from underspend.core.history import Event, MarkKind
from underspend.core.usage import Lane


def rewrites(*events: Event) -> dict[int, Rewrite]:
    told = history(line(*events))
    return lines(told, around(told))[0].rewrites


def test_a_session_that_reads_what_it_wrote_has_none() -> None:
    assert (
        rewrites(
            reply("a", 0, w5=20_000, fresh=3),
            reply("b", MINUTE, read=20_000, w5=900, fresh=3),
            reply("c", 2 * MINUTE, read=20_900, w5=90_000),
        )
        == {}
    )


def test_what_was_written_again_costs_its_price_above_reading() -> None:
    found = rewrites(
        reply("a", 0, w5=20_000),
        reply("b", 9 * MINUTE, read=4_000, w5=18_000),
    )
    (only,) = found.values()
    assert (only.tokens, only.kept, only.gap, only.ttl) == (16_000, 4_000, 9 * MINUTE, 5 * MINUTE)
    assert only.reason.cause is Cause.SHORT_BREAK
    assert only.claims == (("b", Lane.CACHE_WRITE_5M, 16_000 * (125 - 10)),)
    assert only.amount == 1_840_000


def test_a_rewrite_may_lie_in_several_lanes() -> None:
    (only,) = rewrites(
        reply("a", 0, w1=20_000),
        reply("b", 90 * MINUTE, w1=8_000, w5=6_000, fresh=9_000),
    ).values()
    assert [(lane, amount) for _, lane, amount in only.claims] == [
        (Lane.CACHE_WRITE_1H, 8_000 * 190),
        (Lane.CACHE_WRITE_5M, 6_000 * 115),
        (Lane.INPUT, 6_000 * 90),
    ]


def test_a_marker_that_moved_is_no_rewrite() -> None:
    assert rewrites(reply("a", 0, w5=20_000), reply("b", MINUTE, read=18_977, w5=2_000)) == {}
    assert len(rewrites(reply("a", 0, w5=20_000), reply("b", MINUTE, read=18_976, w5=2_000))) == 1


def test_going_back_to_an_earlier_prompt_loses_only_what_stood_there() -> None:
    replies = [
        reply("a", 0, w5=20_000),
        reply("b", MINUTE, read=20_000, w5=5_000),
        reply("c", 2 * MINUTE, read=25_000, w5=5_000),
    ]
    assert rewrites(*replies, reply("d", 3 * MINUTE, read=25_000, w5=300)) == {}
    (only,) = rewrites(*replies, reply("d", 3 * MINUTE, read=20_000, w5=6_000)).values()
    assert only.tokens == 5_000
    back = rewrites(*replies, reply("d", 3 * MINUTE, read=20_000, w5=900), reply("e", 4 * MINUTE, w5=40_000))
    assert back[4].tokens == 20_900


def test_after_a_compaction_only_the_new_context_counts() -> None:
    found = rewrites(
        reply("a", 0, w5=100_000),
        mark(MarkKind.COMPACTION),
        reply("b", MINUTE, read=15_000, w5=9_000),
        reply("c", 2 * MINUTE, read=24_000, w5=90_000),
    )
    assert {at: (each.tokens, each.reason.cause) for at, each in found.items()} == {1: (9_000, Cause.COMPACTION)}


def test_what_a_microcompaction_dropped_was_not_lost() -> None:
    found = rewrites(
        reply("a", 0, w5=100_000),
        mark(MarkKind.MICROCOMPACTION, tokens_before=100_000, tokens_after=70_000),
        reply("b", MINUTE, read=20_000, w5=51_000),
    )
    assert [each.tokens for each in found.values()] == [50_000]
    assert rewrites(reply("a", 0, w5=100_000), mark(MarkKind.CLEAR), reply("b", MINUTE, w5=100_000)) == {}


def test_errors_written_as_replies_lose_nothing() -> None:
    assert (
        rewrites(reply("a", 0, w5=20_000), reply("x", 1, model="<synthetic>"), reply("b", MINUTE, read=20_000, w5=9))
        == {}
    )


def test_an_unpriced_model_has_tokens_and_no_dollars() -> None:
    (only,) = rewrites(reply("a", 0, w5=20_000), reply("b", MINUTE, w5=20_000, model="unpriced")).values()
    assert (only.tokens, only.claims, only.amount) == (20_000, (), 0)


def test_replies_at_one_instant_were_copied_and_so_was_the_one_before_the_next() -> None:
    found = rewrites(
        reply("a", 0, w5=20_000),
        reply("b", 0, w5=21_000),
        reply("c", 3 * MINUTE, w5=22_000),
        reply("d", 9 * MINUTE, w5=23_000),
    )
    assert [each.reason.cause for each in found.values()] == [
        Cause.COPIED_HISTORY,
        Cause.COPIED_HISTORY,
        Cause.SHORT_BREAK,
    ]

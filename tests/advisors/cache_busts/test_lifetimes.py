from __future__ import annotations

from advisors.scenes import MINUTE, FlatRates, around, history, line, reply
from underspend.advisors.cache_busts.ledger import Line, lines
from underspend.advisors.cache_busts.lifetimes import Longer, longer, shorter
from underspend.core.history import Event


def ledger(*events: Event) -> list[Line]:
    told = history(line(*events))
    return lines(told, around(told))


def test_longer_writes_spare_breaks_and_cost_more_elsewhere() -> None:
    found = longer(
        ledger(
            reply("a", 0, w5=20_000),
            reply("b", 9 * MINUTE, w5=21_000),
            reply("c", 10 * MINUTE, read=21_000, w5=1_000),
        ),
        FlatRates(),
    )
    # b would have read 20,000; what is still written is 20,000 + 1,000 + 1,000 at 75 more.
    assert (found.spared, found.extra, found.breaks) == (20_000 * 115, 22_000 * 75, 1)
    assert found.gain == 650_000
    assert found.break_even == 1


def test_the_break_even_is_in_breaks_of_the_same_kind() -> None:
    assert Longer(spared=300, extra=250, breaks=3).break_even == 3
    assert Longer(spared=300, extra=700, breaks=3).break_even == 7
    assert Longer(extra=700).break_even == 0


def test_breaks_of_over_an_hour_are_spared_by_nothing() -> None:
    found = longer(ledger(reply("a", 0, w5=20_000), reply("b", 90 * MINUTE, w5=21_000)), FlatRates())
    assert (found.spared, found.breaks, found.extra) == (0, 0, 41_000 * 75)


def test_long_writes_and_unpriced_models_cost_no_more() -> None:
    assert longer(ledger(reply("a", 0, w1=20_000), reply("b", 1, w5=9, model="unpriced")), FlatRates()).extra == 0


def test_shorter_writes_are_cheaper_and_lose_what_the_hour_bridged() -> None:
    found, claims = shorter(
        ledger(
            reply("a", 0, w1=20_000),
            reply("b", 9 * MINUTE, read=20_000, w1=1_000),
            reply("c", 10 * MINUTE, read=21_000, w1=1_000),
            reply("d", 100 * MINUTE, w1=23_000),
        ),
        FlatRates(),
    )
    assert found.spared == sum(amount for _, _, amount in claims) == 45_000 * 75
    assert (found.extra, found.breaks) == (20_000 * 115, 1)
    assert found.gain == 3_375_000 - 2_300_000


def test_a_rewrite_in_any_case_is_no_reason_for_the_hour() -> None:
    found, _ = shorter(ledger(reply("a", 0, w1=20_000), reply("b", 9 * MINUTE, read=5_000, w1=20_000)), FlatRates())
    assert (found.extra, found.breaks) == (0, 0)


def test_short_writes_stay_what_they_are() -> None:
    found, _ = shorter(ledger(reply("a", 0, w5=20_000), reply("b", 9 * MINUTE, read=20_000)), FlatRates())
    assert (found.writes, found.extra) == (0, 0)

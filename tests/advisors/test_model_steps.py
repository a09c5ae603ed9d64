from datetime import date

import pytest

from advisors.histories_by_hand import HAIKU, NOV, OPUS, SONNET, around, history, line, reply, usage
from underspend.advisors.model_steps import cheaper, day, elsewhere, known, tier_of
from underspend.core.usage import Metered, Unit, Usage

FEBRUARY = 1_770_000_000_000_000
"""2026-02-02."""


def ids(model, at=NOV):
    return [other.id for other in cheaper(model, at)]


def test_the_newest_model_of_each_cheaper_tier_then():
    assert ids(OPUS) == [SONNET, HAIKU]
    assert ids(SONNET) == [HAIKU]
    assert ids(HAIKU) == []
    assert ids("claude-fable-5-2") == [OPUS, SONNET, HAIKU]
    assert ids("claude-opus-4-5-20251101", FEBRUARY) == ["claude-sonnet-4-5", "claude-haiku-4-5"]
    assert ids("gpt-6-sol") == []


@pytest.mark.parametrize(
    ("model", "tier"),
    [("claude-opus-5-5[1m]", 1), ("us.anthropic.claude-sonnet-5-5", 2), ("claude-3-5-haiku-latest", 3), ("x", None)],
)
def test_the_tier_stands_in_the_name(model, tier):
    assert tier_of(model) == tier


def test_days_are_utc():
    assert day(0) == date(1970, 1, 1)
    assert day(FEBRUARY) == date(2026, 2, 2)


def other(replies, model):
    return elsewhere(replies, known(model), around(history(line(*replies))))


def test_the_same_tokens_at_the_other_prices():
    found = other([reply("m", usage(read=10_000, w5m=1000, out=100))], SONNET)
    assert found.paid == 10_000 * 200_000 + 1000 * 5_000_000 + 100 * 20_000_000
    assert found.gain == 10_000 * 100_000 + 1000 * 2_500_000 + 100 * 10_000_000
    assert found.fits


def test_a_prefix_below_the_minimum_is_plain_input():
    # 512 tokens are the least that is cached: 400 written tokens would be sent as input at $2.
    assert other([reply("m", usage(w5m=400))], SONNET).would == 400 * 2_000_000


def test_a_window_that_is_too_small():
    long = reply("m", usage(read=250_000, out=10))
    found = elsewhere([long], known("claude-haiku-4-5"), around(history(line(long))))
    assert not found.fits
    assert found.saved == []


def test_a_heavier_tokenizer_counts_and_a_lighter_one_does_not():
    old = reply("m", usage(w5m=1000), model="claude-opus-4-5")
    surroundings = around(history(line(reply("m", usage(w5m=1000)))))
    assert elsewhere([old], known(SONNET), surroundings).would == 1300 * 2_500_000
    new = reply("m", usage(w5m=1000))
    assert elsewhere([new], known(SONNET), surroundings).would == 1000 * 2_500_000


def test_what_another_model_did_is_left_as_it_is():
    units = (Unit("message", usage(w5m=1000)), Unit("advisor_message", Usage(output=9), model="claude-fable-5-2"))
    one = reply("m", usage(w5m=1000))
    mixed = Metered(provider="anthropic", model=OPUS, units=units, reported=usage(w5m=1000))
    assert elsewhere([one], known(SONNET), around(history(line(one)))).paid == 1000 * 5_000_000
    assert mixed.usage.output == 9


def test_a_model_without_a_price_here_does_not_fit():
    one = reply("m", usage(w5m=5000))
    assert not elsewhere([one], known("claude-haiku-4-5"), around(history(line(one)))).fits

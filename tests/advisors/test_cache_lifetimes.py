from advisors.histories_by_hand import MINUTE, NOV, around, history, line, reply, usage
from underspend.advisors.cache_lifetimes import with_long, with_short
from underspend.core.usage import Lane


def gains(replay, *events):
    timeline = line(*events)
    return [(message, lane, gain) for message, lane, gain, _ in replay(timeline, around(history(timeline)))]


def at(minutes):
    return NOV + minutes * MINUTE


def test_an_hour_that_no_pause_needed():
    found = gains(with_short, reply("a", usage(w1h=1000)), reply("b", usage(read=1000, w1h=100), at=at(5)))
    # 1,000 and 100 tokens at $5 instead of $8
    assert found == [("a", Lane.CACHE_WRITE_1H, 3 * 10**9), ("b", Lane.CACHE_WRITE_1H, 3 * 10**8)]


def test_an_hour_that_a_pause_needed():
    found = gains(with_short, reply("a", usage(w1h=1000)), reply("b", usage(read=1000), at=at(6)))
    # reads at $0.20 would have been writes at $5
    assert found[-1] == ("b", Lane.CACHE_READ, -4_800_000 * 1000)


def test_five_minutes_that_a_pause_outlasted():
    found = gains(with_long, reply("a", usage(w5m=1000)), reply("b", usage(w5m=1200), at=at(6)))
    assert sum(gain for name, _, gain in found if name == "a") == -3 * 10**9
    # 1,000 of the 1,200 would have been read at $0.20 instead of written at $5, 200 written at $8
    assert [gain for name, _, gain in found if name == "b"] == [4_800_000 * 1000, -3_000_000 * 200]


def test_pauses_beyond_the_hour_and_within_five_minutes_gain_nothing():
    for pause in (5, 61):
        found = gains(with_long, reply("a", usage(w5m=1000)), reply("b", usage(w5m=1200), at=at(pause)))
        assert sum(gain for name, _, gain in found if name == "b") == -3_000_000 * 1200


def test_timelines_of_the_other_lifetime_are_left_alone():
    assert gains(with_short, reply("a", usage(w5m=1000))) == []
    assert gains(with_long, reply("a", usage(w1h=1000))) == []
    assert gains(with_long) == []


def test_without_a_price_nothing_is_gained():
    one = reply("a", usage(w1h=1000), model="claude-nobody")
    assert [gain for _, _, gain in gains(with_short, one)] == [0]

from advisors.histories_by_hand import around, history, line, reply, usage
from underspend.advisors.claimed import Claimed
from underspend.advisors.resends import ANYWHERE, FRONT, Resends, Send, sent_in
from underspend.core.usage import Lane


def test_the_lane_is_where_the_cache_got_to():
    assert sent_in(usage(read=100, w5m=50), 100) is Lane.CACHE_READ
    assert sent_in(usage(read=99, w5m=50), 100) is Lane.CACHE_WRITE_5M
    assert sent_in(usage(read=99, w5m=50, w1h=60), 100) is Lane.CACHE_WRITE_1H
    assert sent_in(usage(fresh=10), 100) is Lane.INPUT
    assert sent_in(usage(read=5), 100) is Lane.CACHE_READ
    assert sent_in(usage(out=5), 100) is None


def test_written_once_and_read_with_every_reply():
    past = history(
        line(
            reply("a", usage(read=8000, w5m=4000)),
            reply("b", usage(read=12_000, w5m=500)),
            reply("c", usage(read=12_500, w5m=500)),
            reply("d", usage(read=8000, w5m=6000)),  # the cache was lost: written again
        )
    )
    bills = around(past).bills
    resends, claimed = Resends(bills), Claimed(bills)
    # 2 writes at 5, 2 reads at 0.2 dollars a million: 1000 × (5 + 0.2 + 0.2 + 5)
    assert resends.cost(past.timelines, 1000, reach=ANYWHERE) == 10_400_000_000
    resends.claim(past.timelines, 1000, claimed, reach=ANYWHERE)
    assert claimed.total == 10_400_000_000
    assert resends.cost(past.timelines, 1000, reach=FRONT) == 1000 * 4 * 200_000
    # no more than there was in the lane: 4000 and 6000 written
    assert resends.cost(past.timelines, 7000, reach=ANYWHERE) == 10_000 * 5_000_000 + 14_000 * 200_000


def test_nothing_is_sent_where_nothing_was_asked():
    assert Resends({}).cost([line(), line(reply("a", usage(read=9)))], 1000, reach=FRONT) == 0
    assert Send("m", Lane.INPUT, 10, 100).part(-5) == 0

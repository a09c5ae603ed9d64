from advisors.histories_by_hand import DAY, NOV, bill, reply, usage
from underspend.advisors.claimed import Claimed, Month
from underspend.core.usage import Lane


def test_a_lane_is_never_claimed_beyond_its_bill():
    one = reply("m", usage(read=1000))
    claimed = Claimed({"m": bill(one)})
    assert claimed.add(one, Lane.CACHE_READ, 150_000_000) == 150_000_000
    assert claimed.add(one, Lane.CACHE_READ, 150_000_000) == 50_000_000  # 1000 reads cost 200 million
    assert claimed.add(one, Lane.CACHE_READ, 1) == 0
    assert claimed.add(one, Lane.OUTPUT, 1) == 0
    assert claimed.total == 200_000_000


def test_a_reply_without_a_bill_cannot_be_claimed():
    one = reply("m", usage(read=1000))
    claimed = Claimed({})
    assert claimed.add(one, Lane.CACHE_READ, 250) == 0
    assert claimed.put("m", Lane.CACHE_READ, -1, 5) == 0
    assert claimed.all() == []


def test_claims_are_by_reply_and_lane():
    replies = [reply(name, usage(read=3000)) for name in "ab"]
    claimed = Claimed({one.message_id: bill(one) for one in replies})
    for one in (*replies, replies[0]):
        claimed.add(one, Lane.CACHE_READ, 5)
    assert claimed.all() == [("a", Lane.CACHE_READ, 10), ("b", Lane.CACHE_READ, 5)]


def test_a_month_goes_by_active_days():
    def days(*when):
        return Month.of(NOV // DAY + day for day in when)

    assert days().of_amount(10) == 0
    assert days(0).of_amount(10) == 220  # one day: a month of 22 such days
    assert days(0, 9).of_amount(10) == 30  # 2 active days of 10: 6 a month

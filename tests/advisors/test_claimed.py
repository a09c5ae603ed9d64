from hypothesis import given
from hypothesis import strategies as st

from advisors.histories_by_hand import DAY, NOV, OPUS, bill, history, line, reply, usage
from underspend.advisors.claimed import Claimed, Month, total
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
    assert claimed.claims() == ()


@given(st.lists(st.integers(-5, 10**9), max_size=6), st.integers(-5, 10**10))
def test_cut_claims_come_to_what_was_asked(amounts, most):
    replies = [reply(f"m{index}", usage(read=3000)) for index in range(len(amounts))]
    claimed = Claimed({one.message_id: bill(one) for one in replies})
    for one, amount in zip(replies, amounts, strict=True):
        claimed.add(one, Lane.CACHE_READ, amount)
    kept = claimed.claims(most)
    assert total(kept) == max(0, min(most, claimed.total))
    whole = {claim.message_id: claim.amount for claim in claimed.claims()}
    assert all(0 < claim.amount <= whole[claim.message_id] for claim in kept)
    assert total(claimed.claims()) == claimed.total


def test_what_rounding_leaves_over_is_claimed_too():
    replies = [reply(name, usage(read=1)) for name in "ab"]
    claimed = Claimed({one.message_id: bill(one) for one in replies})
    for one in replies:
        claimed.add(one, Lane.CACHE_READ, 1)
    assert [claim.amount for claim in claimed.claims(1)] == [1]


def test_a_month_goes_by_active_days():
    def days(*when):
        return history(line(*(reply(f"m{day}", usage(), model=OPUS, at=NOV + day * DAY) for day in when)))

    assert Month.of(history()).of_amount(10) == 0
    assert Month.of(days(0)).of_amount(10) == 220  # one day: a month of 22 such days
    assert Month.of(days(0, 9)).of_amount(10) == 30  # 2 active days of 10: 6 a month

"""What every store of holds keeps to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from underspend.core.holds import (
    KEEP,
    Answer,
    Booking,
    Claim,
    Holds,
    HoldsLostError,
    Override,
    Refused,
    Reserved,
    Standing,
)
from underspend.core.windows import DAY, FOREVER, HOUR, SECOND

NOW = 1_790_000_000 * SECOND
LATER = NOW + 60 * SECOND
BIG = 9_000_000 * 10**12
"""Nine million dollars, far past 2^53 pico-dollars."""


def claim(account: str = "team|", cap: int = 100, **changes: object) -> Claim:
    made = Claim(
        budget=account.partition("|")[0],
        series=account.partition("|")[0] + "|",
        account=account,
        cap=cap,
        enforced=True,
        bucket=0,
        since=0,
        until=FOREVER,
        forget=NOW + 90 * DAY,
    )
    return replace(made, **changes)


def begun(holds: Holds, *series: str) -> None:
    for each in series or ("team|",):
        assert holds.restore(each, (), now=NOW)


def reserve(holds: Holds, call: str, amount: int, *claims: Claim, now: int = NOW, expires: int = LATER) -> Answer:
    return holds.reserve(call, claims or (claim(),), amount, now=now, expires=expires)


def standing(holds: Holds, asked: Claim | None = None, now: int = NOW) -> tuple[int, int]:
    (found,) = holds.standings((asked or claim(),), now=now)
    return found.spent, found.held


def test_a_hold_fits_up_to_the_cap_to_the_pico_dollar(holds: Holds) -> None:
    begun(holds)
    assert reserve(holds, "a", 60) == Reserved((Standing("team", "team|", 100, 0, 60),))
    refused = reserve(holds, "b", 41)
    assert refused == Refused(41, (Standing("team", "team|", 100, 0, 60),))
    assert refused.full[0].short(41) == 1
    assert isinstance(reserve(holds, "b", 40), Reserved)
    assert isinstance(reserve(holds, "c", 1), Refused)
    assert isinstance(reserve(holds, "c", 0), Reserved)


def test_amounts_are_exact_past_what_a_double_can_say(holds: Holds) -> None:
    begun(holds)
    cap = claim(cap=BIG)
    holds.settle("past", BIG - 3, now=NOW, claims=(cap,))
    assert isinstance(reserve(holds, "a", 1, cap), Reserved)
    assert isinstance(reserve(holds, "b", 3, cap), Refused)
    assert isinstance(reserve(holds, "b", 2, cap), Reserved)
    assert standing(holds, cap) == (BIG - 3, 3)
    holds.settle("b", 999_999_999, now=NOW)
    assert standing(holds, cap) == (BIG + 999_999_996, 1)


def test_several_budgets_hold_all_or_none_and_those_without_room_are_named(holds: Holds) -> None:
    begun(holds, "day|", "month|", "key|")
    three = (claim("day|", 50), claim("month|", 1000), claim("key|k", 20))
    assert isinstance(reserve(holds, "a", 10, *three), Reserved)
    refused = reserve(holds, "b", 45, *three)
    assert isinstance(refused, Refused)
    assert [(each.account, each.short(45)) for each in refused.full] == [("day|", 5), ("key|k", 35)]
    assert [standing(holds, each) for each in three] == [(0, 10)] * 3
    assert holds.settle("a", 7, now=NOW)
    assert [standing(holds, each) for each in three] == [(7, 0)] * 3


def test_a_budget_that_is_not_enforced_counts_and_never_refuses(holds: Holds) -> None:
    begun(holds)
    soft = claim(enforced=False)
    assert isinstance(reserve(holds, "a", 1_000, soft), Reserved)
    holds.settle("a", 500, now=NOW)
    assert standing(holds) == (500, 0)
    assert isinstance(reserve(holds, "b", 1), Refused)


def test_said_twice_is_said_once(holds: Holds) -> None:
    begun(holds)
    assert isinstance(reserve(holds, "a", 60), Reserved)
    assert isinstance(reserve(holds, "a", 60), Reserved)
    assert standing(holds) == (0, 60)
    assert (holds.settle("a", 10, now=NOW), holds.settle("a", 10, now=NOW)) == (True, False)
    assert holds.release("a", now=NOW) is False
    assert standing(holds) == (10, 0)
    assert isinstance(reserve(holds, "a", 60), Reserved)
    assert standing(holds) == (10, 0)
    reserve(holds, "b", 5)
    assert (holds.release("b", now=NOW), holds.release("b", now=NOW)) == (True, False)
    assert holds.settle("b", 5, now=NOW) is False
    assert standing(holds) == (10, 0)


def test_a_settlement_above_the_hold_is_booked_truly(holds: Holds) -> None:
    begun(holds)
    reserve(holds, "a", 100)
    holds.settle("a", 130, now=NOW)
    (found,) = holds.standings((claim(),), now=NOW)
    assert (found.spent, found.room, found.short(0)) == (130, 0, 30)


def test_a_hold_that_expires_gives_its_room_back_and_is_named_until_it_is_forgotten(holds: Holds) -> None:
    begun(holds)
    reserve(holds, "dead", 100)
    assert standing(holds, now=LATER - 1) == (0, 100)
    assert isinstance(reserve(holds, "b", 1, now=LATER - 1), Refused)
    assert isinstance(reserve(holds, "b", 100, now=LATER, expires=LATER + HOUR), Reserved)
    assert holds.expire(now=LATER) == ("dead",)
    assert holds.expire(now=LATER + KEEP) == ("b",)
    assert holds.settle("dead", 5, now=LATER + KEEP) is False


def test_what_a_dead_process_spent_is_booked_when_it_becomes_known(holds: Holds) -> None:
    begun(holds)
    reserve(holds, "dead", 100)
    assert holds.settle("dead", 30, now=LATER + HOUR)
    assert standing(holds, now=LATER + HOUR) == (30, 0)
    assert holds.expire(now=LATER + HOUR) == ()


def test_a_hold_that_is_renewed_lives_on_and_one_that_expired_does_not(holds: Holds) -> None:
    begun(holds)
    reserve(holds, "a", 40)
    reserve(holds, "b", 40, expires=LATER - 10)
    assert holds.renew(("a", "b", "never"), now=LATER - 10, expires=LATER + HOUR) == ("a",)
    assert holds.renew(("a",), now=LATER, expires=LATER + 1) == ("a",)
    assert standing(holds, now=LATER + HOUR - 1) == (0, 40)
    assert standing(holds, now=LATER + HOUR) == (0, 0)
    holds.release("a", now=LATER)
    assert holds.renew(("a",), now=LATER, expires=LATER + HOUR) == ()


def test_a_call_without_a_hold_is_booked_only_under_claims_and_only_once(holds: Holds) -> None:
    begun(holds)
    assert holds.settle("lost", 10, now=NOW) is False
    assert holds.settle("lost", 10, now=NOW, claims=(claim(),))
    assert holds.settle("lost", 10, now=NOW, claims=(claim(),)) is False
    assert standing(holds) == (10, 0)


def test_buckets_outside_the_window_do_not_count(holds: Holds) -> None:
    begun(holds)
    yesterday = claim(bucket=10, since=10, until=20)
    today = claim(bucket=20, since=20, until=30)
    reserve(holds, "old", 100, yesterday)
    assert isinstance(reserve(holds, "a", 100, today), Reserved)
    holds.settle("old", 90, now=NOW)
    assert standing(holds, yesterday) == (90, 0)
    assert standing(holds, today) == (0, 100)
    rolling = claim(bucket=20, since=10)
    assert standing(holds, rolling) == (90, 100)


def test_a_raise_holds_for_its_time_and_a_pause_lifts_the_cap(holds: Holds) -> None:
    begun(holds)
    holds.override(Override("team", 150, NOW + 10))
    assert isinstance(reserve(holds, "a", 150), Reserved)
    assert isinstance(reserve(holds, "b", 1), Refused)
    assert holds.overrides(now=NOW) == (Override("team", 150, NOW + 10),)
    holds.override(Override("team", None, NOW + 20))
    assert reserve(holds, "b", 1_000) == Reserved((Standing("team", "team|", None, 0, 1_150),))
    assert holds.standings((claim(),), now=NOW + 20)[0].cap == 100
    assert isinstance(reserve(holds, "c", 1, now=NOW + 20), Refused)
    assert holds.overrides(now=NOW + 20) == ()


def test_a_raise_is_taken_back_and_never_lowers_a_cap(holds: Holds) -> None:
    begun(holds)
    holds.override(Override("team", 50, LATER))
    assert isinstance(reserve(holds, "a", 100), Reserved)
    holds.override(Override("team", 200, LATER))
    assert isinstance(reserve(holds, "b", 100), Reserved)
    assert (holds.withdraw("team"), holds.withdraw("team")) == (True, False)
    assert isinstance(reserve(holds, "c", 1), Refused)


def test_one_account_is_raised_before_its_budget(holds: Holds) -> None:
    begun(holds)
    web, api = claim("team|web"), claim("team|api")
    holds.override(Override("team", 300, LATER))
    holds.override(Override("team|web", 200, LATER - 1))
    found = [each.cap for each in holds.standings((web, api), now=NOW)]
    assert found == [200, 300]
    assert [each.cap for each in holds.standings((web, api), now=LATER - 1)] == [300, 300]


def test_nothing_is_reserved_before_the_ledgers_sums_are_there(holds: Holds) -> None:
    assert holds.lacking(("team|", "other|")) == ("team|", "other|")
    with pytest.raises(HoldsLostError, match="restored first") as caught:
        reserve(holds, "a", 1)
    assert caught.value.series == ("team|",)
    assert holds.restore("team|", (Booking("team|", 0, 95, LATER),), now=NOW)
    assert holds.lacking(("team|", "other|")) == ("other|",)
    assert isinstance(reserve(holds, "a", 6), Refused)
    assert isinstance(reserve(holds, "a", 5), Reserved)


def test_a_series_is_restored_once_and_other_stores_of_it_say_so(holds: Holds) -> None:
    sums = (Booking("team|", 0, 10, LATER), Booking("team|", 0, 20, LATER), Booking("team|web", 5, BIG, LATER))
    assert holds.restore("team|", sums, now=NOW)
    assert holds.restore("team|", sums, now=NOW) is False
    assert standing(holds) == (30, 0)
    assert standing(holds, claim("team|web")) == (BIG, 0)


def test_the_accounts_of_a_series_are_those_with_bookings_or_holds(holds: Holds) -> None:
    begun(holds, "team|", "team2|")
    reserve(holds, "a", 1, claim("team|web"))
    reserve(holds, "b", 1, claim("team|api|x"))
    reserve(holds, "c", 1, claim("team2|"))
    reserve(holds, "d", 1, claim("team|gone"))
    holds.settle("a", 1, now=NOW)
    holds.release("d", now=NOW)
    assert holds.accounts("team|") == ("team|api|x", "team|web")


def test_what_nobody_asks_for_any_more_is_forgotten(holds: Holds) -> None:
    begun(holds)
    short = claim("team|short", forget=NOW + 5)
    reserve(holds, "a", 1, short)
    holds.settle("a", 1, now=NOW)
    reserve(holds, "b", 1)
    holds.settle("b", 1, now=NOW)
    holds.expire(now=NOW + 5)
    assert holds.accounts("team|") == ("team|",)
    assert standing(holds, short) == (0, 0)


def test_a_threshold_is_told_once_until_its_time_is_over(holds: Holds) -> None:
    assert holds.tell("team|", 50, now=NOW, until=LATER)
    assert holds.tell("team|", 50, now=NOW, until=LATER) is False
    assert holds.tell("team|", 80, now=NOW, until=LATER)
    assert holds.tell("team|web", 50, now=NOW, until=LATER)
    holds.expire(now=LATER - 1)
    assert holds.tell("team|", 50, now=LATER - 1, until=LATER) is False
    assert holds.tell("team|", 50, now=LATER, until=LATER + 1)


def test_names_of_any_script_and_any_sign_are_names(holds: Holds) -> None:
    begun(holds)
    odd = claim("team|Büro 東京 \x00'\";:{}%7C")
    reserve(holds, "ünd so", 5, odd)
    holds.settle("ünd so", 4, now=NOW)
    assert standing(holds, odd) == (4, 0)
    assert holds.accounts("team|") == (odd.account,)


def test_a_hundred_at_once_get_what_is_there_and_no_more(holds: Holds) -> None:
    begun(holds)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: reserve(holds, f"c{n}", 7), range(100)))
    assert sum(isinstance(answer, Reserved) for answer in answers) == 14
    assert standing(holds) == (0, 98)


def test_old_buckets_of_a_rolling_window_are_dropped_in_passing(holds: Holds) -> None:
    begun(holds)
    for n in range(150):
        at = NOW + n * SECOND
        rolling = claim(cap=10**6, bucket=at, since=at - 10 * SECOND, forget=at + 20 * SECOND)
        reserve(holds, f"c{n}", 1, rolling, now=at, expires=at + HOUR)
        holds.settle(f"c{n}", 1, now=at)
    assert standing(holds, rolling, now=at) == (11, 0)


def test_a_hold_that_gave_its_room_away_stays_dead_for_those_whose_clock_is_behind(holds: Holds) -> None:
    begun(holds, "team|", "other|")
    both = (claim(), claim("other|"))
    reserve(holds, "dead", 100, *both)
    assert isinstance(reserve(holds, "b", 60, now=LATER, expires=LATER + HOUR), Reserved)
    assert standing(holds, now=LATER - 1) == (0, 60)
    assert standing(holds, claim("other|"), now=LATER - 1) == (0, 0)
    assert holds.renew(("dead",), now=LATER - 1, expires=LATER + HOUR) == ()
    assert holds.expire(now=LATER) == ("dead",)
    assert holds.settle("dead", 10, now=LATER)
    assert [standing(holds, each) for each in both] == [(10, 60), (10, 0)]

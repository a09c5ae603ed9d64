from __future__ import annotations

from underspend.core.reply import Bill, Line
from underspend.core.usage import Lane


def line(lane: Lane, amount: int) -> Line:
    return Line(unit=0, kind="message", model="m", lane=lane, tokens=1, rate=amount, amount=amount)


def test_a_lane_sums_over_units() -> None:
    bill = Bill(lines=(line(Lane.INPUT, 3), line(Lane.OUTPUT, 5), line(Lane.INPUT, 4)))
    assert [bill.lane(lane) for lane in Lane] == [7, 0, 0, 0, 5]
    assert bill.by_lane == (7, 0, 0, 0, 5)
    assert Bill().by_lane == (0, 0, 0, 0, 0)


def test_a_bill_that_lacks_a_price_says_so() -> None:
    assert Bill().priced
    assert not Bill(unpriced=("m",)).priced

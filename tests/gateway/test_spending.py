from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from underspend.gateway.spending import Spending

BERLIN = ZoneInfo("Europe/Berlin")


def at(*when, zone=UTC):
    return int(datetime(*when, tzinfo=zone).timestamp() * 1_000_000)


def test_it_begins_from_what_the_ledger_holds_since_local_midnight():
    asked = []

    def since(start):
        asked.append(start)
        return 7

    spending = Spending(BERLIN, since, at(2026, 11, 20, 0, 30))
    assert asked == [at(2026, 11, 20, zone=BERLIN)]
    assert spending.today(at(2026, 11, 20, 12)) == 7


def test_a_hold_is_replaced_by_the_bill():
    spending = Spending(UTC, lambda start: 0, at(2026, 1, 1))
    spending.hold("a", 100)
    spending.hold("b", 50)
    assert spending.held == 150
    spending.settle("a", 30, at(2026, 1, 1, 1))
    assert (spending.held, spending.today(at(2026, 1, 1, 2))) == (50, 30)
    spending.settle("never held", 5, at(2026, 1, 1, 3))
    assert spending.today(at(2026, 1, 1, 4)) == 35


def test_a_new_day_begins_at_zero_and_keeps_the_holds():
    spending = Spending(BERLIN, lambda start: 10, at(2026, 1, 1, 22))
    spending.hold("a", 100)
    assert spending.today(at(2026, 1, 1, 22, 59)) == 10
    assert spending.today(at(2026, 1, 1, 23, 1)) == 0
    assert spending.held == 100

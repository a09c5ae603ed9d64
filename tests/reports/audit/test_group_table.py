from reports.audit.reports import report
from underspend.audit.totals import Totals
from underspend.reports.audit.group_table import spent, table_of


def texts(lines):
    return [each.text for each in lines]


def test_groups_with_the_rest_in_one_line():
    found = report()
    made = texts(table_of("model", found.groups["by_model"], found.totals.cost, top=1))
    assert (
        made
        == [
            "",
            "model            replies  fresh  written   read  output             paid  share",
            "claude-opus-5-5        4    100    15.4k  20.7k   1.23k           $0.106  99.6%",
            "2 more                 2     10       2k     2k      50  $0.000421 + unpriced   0.4%",
        ]
        or "2 more" in made[-1]
    )


def test_rows_in_a_given_order():
    found = report()
    made = texts(table_of("day", found.groups["by_day"], found.totals.cost, names=["2026-11-21", "2026-11-20"]))
    assert [row[:10] for row in made[2:]] == ["2026-11-21", "2026-11-20"]


def test_missing_prices_are_said():
    assert spent(Totals(cost=10**12)) == "$1.00"
    assert spent(Totals(cost=10**12, unpriced=1)) == "$1.00 + unpriced"

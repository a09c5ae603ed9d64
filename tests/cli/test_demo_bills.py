"""The demo's two bills, as they are told."""

from types import SimpleNamespace

import pytest

from underspend.cli.demo_bills import Bills, Pair, acting, agreement, markdown, paired, shown
from underspend.cli.output import console
from underspend.core.engine import Step
from underspend.core.money import from_usd
from underspend.core.strategy import State
from underspend.strategies.cache_ttl import CacheTtl
from underspend.strategies.trim_results import TrimResults


def pair(name="app 1234abcd", without="2.00", paid="1.50"):
    return Pair(session=name, calls=10, without=from_usd(without), paid=from_usd(paid))


def bills(*pairs, said="0.50", on=("cache_ttl",)):
    return Bills(pairs=pairs, said=from_usd(said), on=on)


def test_the_total_is_the_sum_of_the_sessions():
    total = bills(pair(), pair(without="1.00", paid="1.25")).total
    assert (total.calls, total.without, total.paid) == (20, from_usd("3.00"), from_usd("2.75"))
    assert total.saved == from_usd("0.25")


def test_each_session_is_looked_up_in_both_bills():
    session = SimpleNamespace(id="0123456789", project="app", calls=3)
    without, paid = (
        SimpleNamespace(bill_by_session=lambda cost=cost: {"0123456789": SimpleNamespace(picodollars=cost)})
        for cost in (7, 5)
    )
    assert paired([session], without, paid) == [Pair(session="app 01234567", calls=3, without=7, paid=5)]


def test_strategies_that_are_on_and_may_edit_are_named():
    steps = [Step(CacheTtl(), State.ON), Step(TrimResults(), State.SHADOW)]
    assert acting(steps) == ["cache_ttl"]


def test_the_page_is_a_table_with_a_total_and_what_was_on():
    lines = markdown(bills(pair())).splitlines()
    assert lines[0] == "| session | calls | without us | with us | saved |  |"
    assert lines[2] == "| app 1234abcd | 10 | $2.00 | $1.50 | $0.500 | 25.0 % |"
    assert lines[3].startswith("| **all** | **10** | **$2.00**")
    assert lines[-1].startswith("On: cache_ttl. `underspend savings` says $0.50")


def test_a_session_that_cost_more_is_below_zero():
    assert "| −$0.500 | −25.0 % |" in markdown(bills(pair(paid="2.50")))


def test_a_terminal_gets_the_same_figures(capsys):
    console().print(shown(bills(pair())))
    out = capsys.readouterr().out
    assert all(word in out for word in ("app 1234abcd", "$2.00", "$1.50", "25.0 %", "all"))


@pytest.mark.parametrize(("said", "words"), [("0.50", "0.00 %"), ("0.45", "10.00 %"), ("0.55", "10.00 %")])
def test_how_near_the_ledger_is_to_the_difference(said, words):
    assert words in agreement(bills(pair(), said=said))


def test_where_nothing_was_saved_nothing_is_compared():
    assert agreement(bills(pair(paid="2.00"), said="0", on=())) == "On: nothing. `underspend savings` says $0.00."

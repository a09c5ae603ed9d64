from dataclasses import replace

import pytest

from stores.ledger_of_budgets import NOW, call_row, ledger
from underspend.core.budgets import Action, Budget, Scope, Subject, claims
from underspend.core.holds import Override
from underspend.core.money import from_usd
from underspend.core.windows import DAY, UTC, window
from underspend.pricing.catalogue import catalogue
from underspend.reports.budgets import Ledger, budget_rows, budgets_shape, ends_in_words, standing_in_words
from underspend.stores.holds.memory import MemoryHolds

DOLLAR = from_usd(1)
DAILY = Budget(name="day", cap=10 * DOLLAR, window=window("calendar day"), zone=UTC, action=Action.BLOCK)
PROJECTS = replace(DAILY, name="projects", scope=Scope.PROJECT)
WEB, APP = (Subject(model="m", project=name, session="s|1") for name in ("web", "app"))


def stored(*budgets, **spent):
    holds = MemoryHolds()
    for budget in budgets:
        holds.restore(budget.series, (), now=NOW)
        for name, amount in spent.items():
            who = WEB if name == "web" else APP
            holds.settle(f"{budget.name}{name}", amount, now=NOW, claims=claims([budget], who, NOW))
    return holds


def test_each_account_is_a_row_the_fullest_first():
    holds = stored(PROJECTS, web=DOLLAR, app=3 * DOLLAR)
    holds.reserve("c", claims([PROJECTS], WEB, NOW), 5 * DOLLAR, now=NOW, expires=NOW + 1)
    first, second = budget_rows([PROJECTS], holds, NOW)
    assert (first.whose, first.spent, first.held, first.left, first.share) == (
        "project web",
        DOLLAR,
        5 * DOLLAR,
        4 * DOLLAR,
        10,
    )
    assert (second.whose, second.left) == ("project app", 7 * DOLLAR)
    assert len(budget_rows([PROJECTS], holds, NOW, most=1)) == 1


def test_a_budget_nobody_used_has_a_row_too():
    (row,) = budget_rows([DAILY], stored(DAILY), NOW)
    assert (row.account, row.spent, row.left, row.change) == ("", 0, 10 * DOLLAR, None)
    assert ends_in_words(row) == "00:00 on 20 November (UTC)" or row.ends is not None
    assert standing_in_words(row) == ""


@pytest.mark.parametrize(
    ("cap", "left", "words"), [(None, None, "paused until"), (20 * DOLLAR, 20 * DOLLAR, "raised until")]
)
def test_a_change_is_shown_with_its_end(cap, left, words):
    for holds, cost in ((stored(DAILY), 0), (stored(DAILY, web=DOLLAR), DOLLAR)):
        holds.override(Override("day", cap, NOW + DAY))
        (row,) = budget_rows([DAILY], holds, NOW)
        assert row.left == (None if left is None else left - cost)
        assert standing_in_words(row).startswith(words)


def test_a_change_of_one_account_is_only_that_ones():
    holds = stored(PROJECTS, web=DOLLAR, app=DOLLAR)
    account = claims([PROJECTS], WEB, NOW)[0].account
    holds.override(Override(account, None, NOW + DAY))
    assert {row.whose: row.cap for row in budget_rows([PROJECTS], holds, NOW)} == {
        "project web": None,
        "project app": 10 * DOLLAR,
    }


@pytest.mark.parametrize(
    ("kind", "ends", "whose"),
    [
        ("session", "with the session", "session s|1"),
        ("rolling hour", "rolling", ""),
        ("request", "with the request", ""),
    ],
)
def test_each_kind_of_window_says_when_it_begins_again(kind, ends, whose):
    budget = replace(DAILY, window=window(kind))
    (row,) = budget_rows([budget], stored(budget, **({} if kind == "request" else {"web": DOLLAR})), NOW)
    assert (ends_in_words(row), row.whose) == (ends, whose)


def test_calls_without_a_session_are_named():
    budget = replace(DAILY, window=window("session"))
    holds = MemoryHolds()
    holds.restore(budget.series, (), now=NOW)
    holds.settle("c", DOLLAR, now=NOW, claims=claims([budget], Subject(model="m"), NOW))
    assert budget_rows([budget], holds, NOW)[0].whose == "calls without a session"


def test_what_the_store_never_had_comes_from_the_ledger_and_is_not_written():
    engine = ledger(call_row("a", DOLLAR), call_row("b", 0, unpriced="m", input_tokens=100))
    known = Ledger(engine, catalogue())
    holds = MemoryHolds()
    holds.override(Override("day", 20 * DOLLAR, NOW + DAY))
    (row,) = budget_rows([DAILY], holds, NOW, ledger=known)
    assert row.spent > DOLLAR
    assert row.cap == 20 * DOLLAR
    assert holds.lacking([DAILY.series]) == (DAILY.series,)
    assert budget_rows([DAILY], holds, NOW)[0].spent == 0
    tags = replace(DAILY, scope=Scope.TAG)
    assert budget_rows([tags], holds, NOW, ledger=known)[0].spent == 0


def test_as_json_dollars_are_exact_and_times_are_readable():
    holds = stored(DAILY, web=DOLLAR // 3)
    holds.override(Override("day", 20 * DOLLAR, NOW + DAY))
    (found,) = budgets_shape(budget_rows([DAILY], holds, NOW))["budgets"]
    assert (str(found["spent"]), str(found["left"]), found["percent"]) == ("0.333333333333", "19.666666666667", 1)
    assert (found["paused"], found["raised"], found["action"], found["usd"]) == (False, True, "block", 10)
    assert found["ends_at"].endswith("Z")
    paused = stored(DAILY)
    paused.override(Override("day", None, NOW + DAY))
    (found,) = budgets_shape(budget_rows([DAILY], paused, NOW))["budgets"]
    assert (found["cap"], found["left"], found["percent"], found["paused"]) == (None, None, None, True)

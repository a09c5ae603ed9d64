"""Thresholds of budgets as alerts, of accounts as the budgets themselves name them."""

import pytest
from doubles import NOW, FixedClock
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.alerts import Decision, Kind, Quiet, Severity, Told
from underspend.core.budgets import Budget, Crossing, Scope, Subject, claims
from underspend.core.windows import Kind as Span
from underspend.core.windows import Unit, Window
from underspend.gateway.crossings import crossings_told, whose

HOUR, DOLLAR = 3_600_000_000, 10**12
HOURLY = Window(Span.ROLLING, Unit.HOUR)


class Heard(list):
    tell = list.append


def account(scope, *, only=None, window=HOURLY, **who):
    budget = Budget(name="b", cap=DOLLAR, window=window, scope=scope, only=only)
    (claim,) = claims((budget,), Subject(model="m", **who), NOW)
    return claim.account


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (account(Scope.ALL), ""),
        (account(Scope.PROJECT, project="web"), "project web"),
        (account(Scope.PROJECT, project="web", only="web"), "project web"),
        (account(Scope.PROJECT), "project ?"),
        (account(Scope.MODEL), "model m"),
        (account(Scope.KEY, key="k", window=Window(Span.SESSION), session="s"), "key k"),
        ("", ""),
        ("a|b", ""),
    ],
)
def test_whose_an_account_is_can_be_read_from_its_name(named, words):
    assert whose(named) == words


@given(st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable()))
def test_any_name_comes_back_as_it_was(name):
    assert whose(account(Scope.PROJECT, project=name)) == f"project {name}"


def crossing(percent, until, spent=DOLLAR // 2):
    return Crossing("b", account(Scope.PROJECT, project="web"), percent, spent, DOLLAR, until)


def test_a_crossing_is_told_with_its_dollars():
    heard = Heard()
    crossings_told(heard, FixedClock())(crossing(50, NOW + HOUR))
    (alert,) = heard
    assert (alert.kind, alert.subject, alert.severity) == (Kind.BUDGET, "budget b, project web", Severity.INFO)
    assert alert.words == "$0.500 of the $1.00 of budget b are spent: 50 % is passed."
    assert alert.at == NOW


def test_the_same_threshold_of_the_next_window_is_not_taken_for_a_repetition():
    heard, told = Heard(), Told(Quiet())
    tell = crossings_told(heard, FixedClock())
    tell(crossing(50, NOW + HOUR))
    tell(crossing(50, NOW + HOUR))
    tell(crossing(50, NOW + 2 * HOUR))
    assert [told.decide(alert)[0] for alert in heard] == [Decision.TELL, Decision.QUIET, Decision.TELL]

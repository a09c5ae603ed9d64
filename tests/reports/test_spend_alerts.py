from zoneinfo import ZoneInfo

import pytest

from reports.ledger_rows import add_call, new_ledger, us
from underspend.core.alerts import Kind, Severity
from underspend.core.evidence import Evidence
from underspend.core.spend_trends import TrendRules
from underspend.reports.spend_alerts import spend_alerts

UTC = ZoneInfo("UTC")
NOW = us("2026-11-20T16:40:00+00:00")
MILLION = 10**6


@pytest.fixture
def ledger(tmp_path):
    engine = new_ledger(tmp_path)
    yield engine
    engine.dispose()


def test_a_week_that_rose_is_told_with_what_rose_most(ledger):
    for number in range(5):
        add_call(ledger, f"a{number}", "2026-11-04T10:00:00+00:00", (MILLION, 0, 0, 0, 0))
    for number in range(20):
        add_call(ledger, f"b{number}", "2026-11-11T10:00:00+00:00", (MILLION, 0, 0, 0, 0))
    (alert,) = spend_alerts(ledger, NOW, TrendRules(), UTC)
    assert alert.kind is Kind.TREND
    assert alert.words == (
        "The week of 2026-11-09 cost $60.00, 300 % above the $15.00 of the week before. "
        "What rose most: volume: calls of the main loop ($45.00)."
    )
    assert alert.evidence is Evidence.BILLED


def test_sub_agents_are_a_cause_of_their_own_and_estimates_are_said(ledger):
    add_call(ledger, "a", "2026-11-11T10:00:00+00:00", (5 * MILLION, 0, 0, 0, 0))
    add_call(ledger, "b", "2026-11-17T10:00:00+00:00", (5 * MILLION, 0, 0, 0, 0))
    for number in range(4):
        at = "2026-11-18T10:00:00+00:00"
        add_call(ledger, f"c{number}", at, (5 * MILLION, 0, 0, 0, 0), role="subagent", evidence="estimated")
    (alert,) = spend_alerts(ledger, NOW, TrendRules(), UTC)
    assert alert.words.startswith("This week so far cost $75.00, 400 % above the $15.00")
    assert "fan-out: calls of sub-agents ($60.00)" in alert.words
    assert alert.evidence is Evidence.ESTIMATED


def test_a_months_limit_is_told(ledger):
    add_call(ledger, "a", "2026-11-20T10:00:00+00:00", (5 * MILLION, 0, 0, 0, 0))
    (alert,) = spend_alerts(ledger, NOW, TrendRules(month_limit=14 * 10**12), UTC)
    assert (alert.kind, alert.severity) == (Kind.FORECAST, Severity.CRITICAL)


def test_an_empty_ledger_has_nothing_to_tell(ledger):
    assert spend_alerts(ledger, NOW, TrendRules(month_limit=0), UTC) == []


def test_what_made_a_week_dearer_is_read_once(ledger, monkeypatch):
    add_call(ledger, "a", "2026-11-04T10:00:00+00:00", (5 * MILLION, 0, 0, 0, 0))
    add_call(ledger, "b", "2026-11-11T10:00:00+00:00", (50 * MILLION, 0, 0, 0, 0))
    known = {}
    first = spend_alerts(ledger, NOW, TrendRules(), UTC, known=known)
    monkeypatch.setattr("underspend.reports.spend_alerts._moments", None)
    assert spend_alerts(ledger, NOW, TrendRules(), UTC, known=known) == first
    assert len(known) == 1

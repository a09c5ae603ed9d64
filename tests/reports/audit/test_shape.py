import json
from decimal import Decimal

from reports.audit.reports import empty_report, report, rich_report
from underspend.audit.explain_diff import Difference, Explained
from underspend.reports.audit.shape import audit_shape, explained_shape, group_rows, usd
from underspend.reports.shapes import as_csv, dumps

PROMISED = (
    "requests",
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "output_tokens_estimated",
    "cost_usd",
)


def shape(made=None):
    return json.loads(dumps(audit_shape(made or report())))


def test_totals_and_every_group_carry_what_is_promised():
    found = shape()
    groups = found["groups"]
    assert {"by_session", "by_day", "by_project", "by_model", "by_agent"} <= set(groups)
    everything = [found["totals"], *(each for group in groups.values() for each in group.values())]
    for each in everything:
        assert set(PROMISED) <= set(each)
        assert isinstance(each["cost_usd"], str)
        assert all(isinstance(each[name], int) for name in PROMISED[:-1])
    for group in groups.values():
        assert sum(each["requests"] for each in group.values()) == found["totals"]["requests"]
        assert sum(Decimal(each["cost_usd"]) for each in group.values()) == Decimal(found["totals"]["cost_usd"])


def test_totals_of_the_sample():
    totals = shape()["totals"]
    assert [totals[name] for name in PROMISED] == [6, 110, 15_400, 2000, 22_700, 1280, 300, totals["cost_usd"]]
    assert (totals["nested_requests"], totals["unpriced_requests"]) == (1, 1)


def test_findings():
    found = shape()["findings"]
    assert [each["id"] for each in found] == ["two/gap", "two/due"]
    first = found[0]
    assert (first["usd_in_period"], first["usd_per_month"], first["confidence"]) == ("0.01", "0.11", "high")
    assert first["evidence_rows"][0]["line"] == 3
    assert {"title", "why", "fix", "urgency", "evidence"} <= set(first)
    assert shape()["findings_total"]["faults"] == [{"advisor": "broken", "problem": "RuntimeError: boom"}]


def test_everything_else_is_there():
    found = shape(rich_report())
    assert found["paying"]["api_equivalent"] is True
    assert found["skipped"][0] == {"file": "/t/s.jsonl", "line": 0, "why": "is no JSON"}
    assert found["unknown_entries"] == {"new-kind": 3}
    assert found["trend"]["rose"] is True
    assert found["forecast"]["month"] == "2026-11"
    assert found["reconciliation"][0]["causes"][0]["cause"] == "auxiliary calls"
    assert found["not_in_totals"][0]["requests"] == 1
    assert found["timeline"]["activities"][0]["activity"]
    assert found["blocks"][0]["since"].endswith("Z")
    assert found["questions"]["batchable"]["requests"] == 0


def test_nothing_read_is_zero_and_null():
    found = shape(empty_report())
    assert (found["totals"]["requests"], found["totals"]["cost_usd"]) == (0, "0")
    assert found["period"]["first_at"] is None
    assert found["findings"] == found["skipped"] == []


def test_rows_for_csv():
    rows = group_rows(report())
    assert (rows[0]["group"], rows[1]["group"], rows[1]["key"]) == ("total", "day", "2026-11-20")
    lines = as_csv(rows).splitlines()
    assert lines[0].startswith("group,key,requests,input_tokens,cache_write_5m_tokens")
    assert len(lines) == len(rows) + 1


def test_a_comparison():
    made = Explained(
        kind="daily",
        ours=3,
        theirs=1,
        causes=(Difference(cause="web searches", amount=2, rows=1),),
        tokens={"input_tokens": 0},
    )
    found = explained_shape(made)
    assert (found["difference_usd"], found["residual_usd"]) == ("0.000000000002", "0")


def test_dollars_are_text_with_every_digit():
    assert [usd(0), usd(10**12), usd(-5 * 10**11), usd(1)] == ["0", "1", "-0.5", "0.000000000001"]

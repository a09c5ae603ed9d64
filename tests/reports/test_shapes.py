import json
from decimal import Decimal

from reports.ledger_rows import add_call, add_prompt
from underspend.reports.entry import entry
from underspend.reports.explain import explain
from underspend.reports.shapes import as_csv, dumps, entry_shape, explained_shape, session_shape, spend_shape, time_of
from underspend.reports.spend import By, spend
from underspend.reports.top import costliest_sessions


def test_dollars_are_plain_numbers_with_every_digit():
    raw = dumps({"a": Decimal("0.000000000001"), "b": [Decimal("12345678.000000000001")], "c": (None, "x")})
    assert raw == b'{"a":0.000000000001,"b":[12345678.000000000001],"c":[null,"x"]}'
    assert json.loads(dumps({"a": Decimal("1E-12")}, indent=2), parse_float=Decimal)["a"] == Decimal("1E-12")


def test_an_unpriced_call_costs_null_not_zero():
    shape = entry_shape(entry({"id": "a", "started_at": 0, "unpriced": "m"}))
    assert (shape["paid_usd"], shape["without_us_usd"], shape["saved_usd"]) == (None, None, None)


def test_times_are_utc():
    assert time_of(1_500_000) == "1970-01-01T00:00:01.500000Z"
    assert time_of(None) is None


def test_a_report_as_json_and_csv(ledger):
    add_call(ledger, "a", "2026-11-20T10:00:00+00:00", (1000, 0, 0, 0, 0), project="=HYPERLINK()")
    shape = spend_shape(spend(ledger, by=By.PROJECT))
    assert shape["total"]["paid_usd"] == Decimal("0.003")
    header, row = as_csv(shape["rows"]).splitlines()
    assert header.startswith("project,calls,paid_usd,without_us_usd,saved_usd,plan_usd,")
    assert row.startswith("'=HYPERLINK(),1,0.003,0.003,0,0,")
    assert as_csv([]) == "\n"


def test_a_session_and_a_call(ledger):
    add_call(ledger, "aaaa", "2026-11-20T10:00:00+00:00", (1000, 0, 0, 0, 0))
    add_prompt(ledger, "aaaa", [("tools", "tool", "Bash", 900)])
    assert session_shape(costliest_sessions(ledger)[0])["models"] == ["claude-sonnet-5"]
    shape = explained_shape(explain(ledger, "aaaa"))
    assert shape["prompt"]["blocks"][0]["tokens"] == 1000
    assert shape["bill"][0]["usd_per_token"] == Decimal("0.000003")
    assert json.loads(dumps(shape))["id"] == "aaaa"

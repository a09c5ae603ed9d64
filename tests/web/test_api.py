from decimal import Decimal

import pytest

from web.asgi_client import ask


@pytest.fixture
def dashboard(dashboard, filled):
    return dashboard


def test_status(dashboard):
    found = ask(dashboard, "/_/api/status").json
    assert (found["version"], found["faults"], found["in_flight"]) == ("0.1.0", [], 0)


def test_spend(dashboard):
    found = ask(dashboard, "/_/api/spend?by=project&since=2026-11-20").json
    assert [(row["project"], row["calls"]) for row in found["rows"]] == [("shop", 3)]
    assert found["unpriced"][0]["model"] == "new-model"
    assert found["timezone"] == "UTC"


def test_calls(dashboard):
    found = ask(dashboard, "/_/api/calls?limit=2").json["calls"]
    assert [call["id"] for call in found] == ["dddd4444", "cccc3333"]
    assert found[1]["paid_usd"] is None


def test_one_call(dashboard):
    found = ask(dashboard, "/_/api/calls/aaaa").json
    assert found["paid_usd"] == Decimal("0.0144")
    assert found["prompt"]["cached_blocks"] == 1


def test_top(dashboard):
    found = ask(dashboard, "/_/api/top?limit=1").json
    assert [call["id"] for call in found["calls"]] == ["bbbb2222"]
    assert found["sessions"][0]["session"] == "s/2"


def test_routes(dashboard):
    assert ask(dashboard, "/_/api/routes").json["classes"] == []


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("spend?by=colour", 400, "by: 'colour' is none of hour, day"),
        ("spend?until=soon", 400, "until: 'soon' is no time"),
        ("calls?limit=0", 400, "limit: '0' is not a number from 1 to 1000"),
        ("calls?limit=²", 400, "is not a number"),
        ("calls/zzzz", 404, "No call zzzz."),
        ("nothing", 404, "There are: status, spend, calls, top, routes, budgets, calls/ID."),
    ],
)
def test_mistakes_are_one_clear_line_of_json(dashboard, path, status, says):
    answer = ask(dashboard, f"/_/api/{path}")
    assert answer.status == status
    assert says in answer.json["error"]

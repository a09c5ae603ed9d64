"""What clients are told: headers, and the answer to a dry run, for which nothing is sent, billed or remembered."""

import json
from decimal import Decimal

import pytest
from doubles import Upstream
from hypothesis import given
from hypothesis import strategies as st
from replies import message
from routed import AGGRESSIVE, ASK, HAIKU, OPUS, SONNET, ask, fields, knowing, routed, rows, said

from underspend.core.money import to_usd
from underspend.core.strategy import State
from underspend.gateway import telling
from underspend.gateway.routes import classify

PATHS = {
    "/v1/messages": said(),
    "/v1/chat/completions": {"model": "auto", "messages": [{"role": "user", "content": ASK}]},
    "/v1/responses": {"model": "auto", "input": ASK},
}


@pytest.mark.parametrize("header", ["x-dry-run", "x-underspend-dry-run"])
@pytest.mark.parametrize("path", PATHS)
def test_a_dry_run_says_what_would_be_done_and_does_nothing(path, header):
    upstream = Upstream([message()])
    made = routed(upstream, AGGRESSIVE, state=State.ON, knowledge=knowing())
    told = ask(made, PATHS[path], route=classify("POST", path), headers={header: "true"})
    answer = json.loads(told.body)
    assert told.status == 200
    assert answer["class"] == "short-question"
    assert answer["decision"]["model"] == HAIKU
    assert answer["reason"]
    costs = {each["model"]: Decimal(each["expected_cost"]) for each in answer["candidates"]}
    assert costs[HAIKU] < costs[SONNET] < costs[OPUS]
    assert all(0 < each["quality"] <= 1 for each in answer["candidates"])
    assert (upstream.sent, rows(made), made.status.in_flight) == ([], [], 0)


def test_a_dry_run_tells_what_the_call_then_does():
    made = routed(Upstream([message()]), AGGRESSIVE, state=State.ON, knowledge=knowing())
    answer = json.loads(ask(made, said(model=OPUS), headers={"x-dry-run": "true"}).body)
    heads = fields(ask(made, said(model=OPUS)))
    assert heads["x-underspend-model"] == answer["decision"]["model"]
    assert heads["x-underspend-reason"] == answer["reason"]


def test_a_dry_run_of_a_named_model_says_that_it_stays_and_what_else_there_is():
    made = routed(Upstream([message()]), knowledge=knowing())
    answer = json.loads(ask(made, said(model=OPUS), headers={"x-dry-run": "true"}).body)
    assert answer["decision"] == {"model": OPUS, "provider": "anthropic", "effort": None, "changes": False}
    assert {each["model"] for each in answer["candidates"]} >= {HAIKU, SONNET, OPUS}


def test_a_dry_run_of_another_dialects_named_model_has_its_class():
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": ASK}]}
    made = routed(Upstream([message()]), forward=True)
    route = classify("POST", "/v1/chat/completions")
    answer = json.loads(ask(made, body, route=route, headers={"x-dry-run": "true"}).body)
    assert (answer["class"], answer["decision"]["model"]) == ("short-question", "gpt-5.5")


def test_a_dry_run_says_why_a_model_cannot_take_the_call():
    made = routed(Upstream([message()]), AGGRESSIVE, state=State.ON, knowledge=knowing())
    body = said(model=OPUS)
    body["messages"].append({"role": "assistant", "content": "The longer one is"})
    answer = json.loads(ask(made, body, headers={"x-dry-run": "true"}).body)
    assert any("own words" in (each["why_not"] or "") for each in answer["candidates"])


def test_what_is_saved_is_what_the_model_asked_for_would_have_cost_more():
    made = routed(Upstream([message(model=HAIKU)]), AGGRESSIVE, state=State.ON, knowledge=knowing())
    heads = fields(ask(made, said(model=OPUS)))
    (row,) = rows(made)
    assert Decimal(heads["x-underspend-cost"]) == Decimal(row["cost_pico"]) / 10**12
    saved = Decimal(row["without_us_pico"] - row["cost_pico"]) / 10**12
    assert Decimal(heads["x-underspend-saved"]) == pytest.approx(saved, rel=Decimal("0.001"))
    assert saved > 0


def test_headers_hold_no_character_that_headers_cannot():
    made = routed(Upstream([message()]), AGGRESSIVE, state=State.ON, knowledge=knowing())
    told = ask(made, said())
    assert all(value.isascii() and b"\n" not in value for _, value in told.headers)


def test_an_error_of_upstream_is_passed_on_without_a_word_of_ours():
    made = routed(Upstream([b'{"type":"error"}'], status=529))
    told = ask(made, said())
    assert (told.status, told.body) == (529, b'{"type":"error"}')
    assert not [name for name in fields(told) if name.startswith("x-underspend")]


def test_a_dry_run_has_all_candidates_whatever_was_asked_before():
    made = routed(Upstream([message()]), knowledge=knowing())
    ask(made, said())
    answer = json.loads(ask(made, said(model="auto:quality"), headers={"x-dry-run": "true"}).body)
    assert answer["decision"]["model"] == OPUS
    assert {each["model"] for each in answer["candidates"]} == {HAIKU, SONNET, OPUS}


@given(st.integers(-(10**20), 10**20) | st.integers(-5, 5).map(lambda dollars: dollars * 10**12))
def test_dollars_are_exact(money):
    assert telling._usd(money) == f"{to_usd(money):f}"

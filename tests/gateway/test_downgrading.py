import asyncio
import json
from dataclasses import replace

import pytest
from doubles import Asked, Told, Upstream, daily, gate_over, pipeline, standings
from replies import message
from routed import HAIKU, OPUS, SONNET, Ticking

from targets import chat, to
from underspend.core.budgets import Action
from underspend.core.holds import HoldsError
from underspend.core.money import from_usd
from underspend.core.windows import window
from underspend.formats.translators import translator
from underspend.gateway.acting import Acting
from underspend.gateway.carrying import Carrier, Refusing
from underspend.gateway.downgrading import Downgrading
from underspend.gateway.routes import classify
from underspend.pricing.catalogue import catalogue
from underspend.stores.holds.memory import MemoryHolds

MESSAGES = classify("POST", "/v1/messages")
HEADERS = [(b"x-api-key", b"k"), (b"x-claude-code-session-id", b"s"), (b"x-claude-code-request-class", b"main")]
USED_UP = daily("0", action=Action.DOWNGRADE, downgrade_to=HAIKU)
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}


def made_with(*budgets, holds=None, others=(), last_sent=None):
    upstream = Upstream([message()])
    acting = Acting((), catalogue(), everything=True, also=("budget",))
    made = pipeline(upstream, acting=acting, clock=Ticking(), others=others)
    gate = gate_over(made.books, made.forecast, budgets, holds=holds)
    refusing = Refusing(made.attempts.destinations, Carrier(translator))
    known = {"last_sent": last_sent} if last_sent else {}
    gate.downgrading = Downgrading(holding=gate.holding, pricing=made.forecast, refuses=refusing.why, **known)
    made.gate = made.attempts.gate = gate
    return made, upstream


def said(*messages, model=OPUS, **changes):
    listed = [{"role": "assistant" if n % 2 else "user", "content": each} for n, each in enumerate(messages)]
    return json.dumps({"model": model, "max_tokens": 100, "messages": listed, **changes}).encode()


def ask(made, data, headers=HEADERS, route=MESSAGES):
    told = Told()
    asyncio.run(made.handle(Asked(data, headers=list(headers)), told, route))
    assert told.status == 200, told.body
    return told


def models(upstream):
    return [json.loads(sent[3])["model"] for sent in upstream.sent]


def result(name="t1"):
    return [{"type": "tool_result", "tool_use_id": name, "content": "done"}]


def use(name="t1"):
    return [{"type": "tool_use", "id": name, "name": "Bash", "input": {}}]


def test_a_used_up_budget_sends_a_new_turn_to_its_model_and_the_ledger_says_so():
    made, upstream = made_with(USED_UP)
    ask(made, said("hi"))
    assert models(upstream) == [HAIKU]
    (settlement,) = made.books.ledger.settlements.values()
    (decision,) = settlement.decisions
    assert (decision["strategy"], decision["applied"], decision["detail"]) == ("budget", True, f"model → {HAIKU}")
    assert decision["after_pico"] < decision["before_pico"]
    assert (settlement.call["model_asked"], settlement.call["model_sent"]) == (OPUS, HAIKU)
    assert [effect["strategy"] for effect in settlement.effects] == ["budget"]
    assert made.gate.holding._open == {}


def test_a_budget_with_room_changes_nothing():
    made, upstream = made_with(replace(USED_UP, cap=from_usd(5)))
    data = said("hi")
    ask(made, data)
    assert upstream.sent[0][3] == data


def test_a_turn_keeps_its_model_whatever_becomes_of_the_budget():
    made, upstream = made_with(replace(USED_UP, cap=from_usd(5)))
    ask(made, said("hi"))
    made.gate.holding.budgets = made.gate.downgrading.budgets = (USED_UP,)
    ask(made, said("hi", use(), result()))
    ask(made, said("hi", use(), result(), "so", "next"))
    made.gate.holding.budgets = made.gate.downgrading.budgets = (replace(USED_UP, cap=from_usd(5)),)
    ask(made, said("hi", use(), result(), "so", "next", use("t2"), result("t2")))
    ask(made, said("hi", use(), result(), "so", "next", use("t2"), result("t2"), "well", "last"))
    assert models(upstream) == [OPUS, OPUS, HAIKU, HAIKU, OPUS]


def test_after_a_restart_the_ledger_knows_which_model_a_turn_has():
    made, upstream = made_with(USED_UP, last_sent=lambda call: (OPUS, HAIKU))
    ask(made, said("hi", use(), result()))
    stayed, other = made_with(USED_UP, last_sent=lambda call: (OPUS, OPUS))
    ask(stayed, said("hi", use(), result()))
    strange, third = made_with(USED_UP, last_sent=lambda call: (OPUS, SONNET))
    ask(strange, said("hi", use(), result()))
    assert (models(upstream), models(other), models(third)) == ([HAIKU], [OPUS], [OPUS])


def test_other_models_thinking_is_left_out_where_the_model_changes_and_stays_out():
    made, upstream = made_with(USED_UP)
    talk = ["hi", [THOUGHT, {"type": "text", "text": "well"}], "next"]
    ask(made, said(*talk))
    assert models(upstream) == [OPUS] if b"thinking" in upstream.sent[0][3] else [HAIKU]
    assert b'"thinking":"hm"' not in upstream.sent[0][3]
    ask(made, said(*talk, "fine", "more"))
    assert b'"thinking":"hm"' not in upstream.sent[1][3]


def test_a_conversation_that_cannot_lose_its_thinking_keeps_its_model():
    made, upstream = made_with(USED_UP)
    ask(made, said("hi", [THOUGHT], "next"))
    assert models(upstream) == [OPUS]


@pytest.mark.parametrize(
    ("to_model", "changes"),
    [
        ("claude-fable-5-2", {}),
        ("claude-next", {}),
        (OPUS, {}),
        (HAIKU, {"messages": [{"role": "user", "content": "word " * 1_000_000}]}),
        ("other:gpt-5.5", {}),
    ],
    ids=["dearer", "unknown", "the same", "too long", "nobody has it"],
)
def test_a_model_that_cannot_take_the_call_is_none(to_model, changes):
    made, upstream = made_with(replace(USED_UP, downgrade_to=to_model))
    ask(made, said("hi", **changes))
    assert models(upstream) == [OPUS]


def test_a_conversation_that_may_outgrow_the_model_stays_but_a_short_sub_agent_does_not():
    small = replace(USED_UP, downgrade_to="claude-haiku-4-5")
    made, upstream = made_with(small)
    ask(made, said("hi"))
    agent = [*HEADERS[:1], (b"x-claude-code-request-class", b"subagent"), (b"x-claude-code-session-id", b"t")]
    ask(made, said("hi"), agent)
    assert models(upstream) == [OPUS, "claude-haiku-4-5"]


def test_a_call_that_the_model_refuses_stays():
    made, upstream = made_with(USED_UP)
    made.gate.downgrading.why_not = lambda asked, model: "it was refused before"
    ask(made, said("hi"))
    assert models(upstream) == [OPUS]


def test_it_can_go_to_another_provider():
    there = Upstream([chat()])
    nano = replace(USED_UP, downgrade_to="openai:gpt-5.4-nano@low")
    made, upstream = made_with(nano, others=[to(there, "openai")])
    told = ask(made, said("hi"))
    assert (upstream.sent, json.loads(there.sent[0][3])["model"]) == ([], "gpt-5.4-nano")
    assert json.loads(told.body)["type"] == "message"
    (row,) = made.books.ledger.calls.values()
    assert (row["provider"], row["model_sent"]) == ("openai", "gpt-5.4-nano")
    assert [(each.spent, each.held) for each in standings(made)] == [(row["cost_pico"], 0)]


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ([*HEADERS[:2], (b"user-agent", b"claude-cli/2.0 (x)")], "/v1/messages"),
        ([(b"authorization", b"Bearer sk-ant-oat01-x")], "/v1/messages"),
        (HEADERS, "/v1/messages/count_tokens"),
    ],
    ids=["side call", "subscription", "counting"],
)
def test_calls_of_the_clients_own_and_of_subscriptions_keep_their_model(headers, path):
    made, upstream = made_with(USED_UP)
    ask(made, said("hi", tools=[]), headers, classify("POST", path))
    assert models(upstream) == [OPUS]


def test_a_request_budget_goes_by_the_one_call():
    one = replace(USED_UP, cap=from_usd("0.05"), window=window("request"))
    made, upstream = made_with(one)
    ask(made, said("hi"))
    ask(made, said("hello", max_tokens=10_000), [*HEADERS[:1], (b"x-claude-code-session-id", b"t")])
    assert models(upstream) == [OPUS, HAIKU]


def test_a_store_that_is_away_changes_nothing():
    class Down(MemoryHolds):
        def standings(self, *args, **options):
            raise HoldsError(where="there", problem="gone")

    made, upstream = made_with(USED_UP, holds=Down())
    ask(made, said("hi"))
    assert models(upstream) == [OPUS]
    assert "gone" in made.status.snapshot()["faults"][0]["message"]


def test_few_conversations_are_remembered(monkeypatch):
    monkeypatch.setattr("underspend.gateway.downgrading._MOST_TURNS", 2)
    made, _ = made_with(USED_UP)
    for n in range(5):
        ask(made, said("hi"), [*HEADERS[:1], (b"x-claude-code-session-id", b"s%d" % n)])
    assert len(made.gate.downgrading._turns) == 2

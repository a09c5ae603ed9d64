"""The router in the pipeline: which calls it looks at, what becomes of them, and what it learns."""

import asyncio
import json
from dataclasses import replace

import pytest
from doubles import Asked, FixedClock, Told, Upstream, daily, pipeline, standings
from replies import message
from routed import (
    AGGRESSIVE,
    ANYONE,
    ASK,
    HAIKU,
    MESSAGES,
    OPUS,
    SONNET,
    ask,
    fields,
    knowing,
    routed,
    rows,
    said,
    sent,
)

from underspend.core.call import Call, Identity, Role
from underspend.core.strategy import State
from underspend.gateway.holdout import Holdout
from underspend.gateway.routes import classify
from underspend.gateway.routing import Router, unread
from underspend.routing.beliefs import Arm, Result
from underspend.routing.decisions import Mode, RouteRule
from underspend.routing.standing import Promise
from underspend.strategies.auto_model import AutoModel

USE = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "pytest"}}
TOOLS = [{"name": "Bash", "description": "run", "input_schema": {"type": "object"}}]
EDIT = {"type": "tool_use", "id": "t0", "name": "Edit", "input": {"file_path": "/a", "new_string": "b"}}


def result(text="ok", *, use="t1", error=False):
    return {"type": "tool_result", "tool_use_id": use, "content": text, "is_error": error}


@pytest.mark.parametrize(
    ("model", "served"), [("auto", SONNET), ("auto:cheapest", HAIKU), ("auto:balanced", SONNET), ("auto:quality", OPUS)]
)
def test_auto_is_served_without_any_setting(model, served):
    upstream = Upstream([message()])
    made = routed(upstream)
    told = ask(made, said(model=model))
    assert told.status == 200
    assert sent(upstream)[0]["model"] == served
    (row,) = rows(made)
    assert (row["model_asked"], row["model_sent"], row["state"]) == (model, served, "settled")
    assert row["without_us_pico"] > 0
    assert not made.status.snapshot()["faults"]


def test_the_preference_may_stand_in_the_body_or_in_a_header_and_the_nearest_counts():
    upstream = Upstream([message()])
    made = routed(upstream)
    ask(made, said(strategy="cheapest"), headers={"x-underspend-strategy": "quality"})
    ask(made, said("Another?"), headers={"x-underspend-strategy": "quality"})
    ask(made, said("And?", model="auto:quality", strategy="cheapest"))
    bodies = sent(upstream)
    assert [body["model"] for body in bodies] == [HAIKU, OPUS, OPUS]
    assert all("strategy" not in body for body in bodies)


def test_a_preference_that_there_is_none_of_is_refused_in_words():
    upstream = Upstream([message()])
    told = ask(routed(upstream), said(model="auto:fastest"))
    assert told.status == 400
    assert "cheapest, balanced, quality" in json.loads(told.body)["error"]["message"]
    assert upstream.sent == []


def test_a_named_model_stays_and_its_strategy_field_too():
    upstream = Upstream([message()])
    made = routed(upstream, AutoModel(mode=Mode.AGGRESSIVE), state=State.ON, knowledge=knowing())
    body = json.dumps(said(model=OPUS, strategy="cheapest")).encode()
    told = ask(made, body)
    assert upstream.sent[0][3] == body
    assert not [name for name in fields(told) if name.startswith("x-underspend")]


def test_observing_says_what_it_would_have_done_and_changes_nothing():
    upstream = Upstream([message()])
    made = routed(upstream, AutoModel(sees_all=True), knowledge=knowing())
    body = json.dumps(said(model=OPUS)).encode()
    told = ask(made, body)
    assert upstream.sent[0][3] == body
    assert not [name for name in fields(told) if name.startswith("x-underspend")]
    (settlement,) = made.books.ledger.settlements.values()
    (decision,) = settlement.decisions
    assert (decision["strategy"], decision["edit"], decision["applied"]) == ("auto_model", "SetModel", False)
    assert "would have gone to" in decision["why"]
    assert decision["after_pico"] < decision["before_pico"]


def test_a_router_that_is_off_says_nothing_but_serves_auto():
    upstream = Upstream([message()])
    made = routed(upstream, AutoModel(sees_all=True), state=State.OFF, knowledge=knowing())
    ask(made, said(model=OPUS))
    assert [each.decisions for each in made.books.ledger.settlements.values()] == [[]]
    assert ask(made, said()).status == 200


def test_no_more_than_a_few_beginnings_are_watched_in_a_second():
    made = routed(Upstream([message()]), AutoModel(sees_all=True), knowledge=knowing())
    for n in range(25):
        ask(made, said(f"{ASK} {n}", model=OPUS))
    watched = sum(bool(each.decisions) for each in made.books.ledger.settlements.values())
    assert watched == 10


def test_a_named_model_is_left_where_the_user_opened_it():
    upstream = Upstream([message()])
    made = routed(upstream, AGGRESSIVE, state=State.ON, knowledge=knowing())
    told = ask(made, said(model=OPUS))
    assert sent(upstream)[0]["model"] == HAIKU
    heads = fields(told)
    assert (heads["x-underspend-model-asked"], heads["x-underspend-model"]) == (OPUS, HAIKU)
    assert heads["x-underspend-reason"]
    (row,) = rows(made)
    assert heads["x-underspend-call"] == row["id"]
    assert (row["model_asked"], row["model_sent"]) == (OPUS, HAIKU)


def test_the_cost_of_a_whole_reply_is_exact_and_of_a_stream_an_estimate():
    upstream = Upstream([message()])
    made = routed(upstream)
    heads = fields(ask(made, said()))
    (row,) = rows(made)
    assert float(heads["x-underspend-cost"]) == pytest.approx(row["cost_pico"] / 1e12, rel=1e-12)
    assert "x-underspend-cost-estimate" not in heads
    assert "x-underspend-saved" in heads
    streamed = routed(Upstream([b"data: {}\n\n"], content_type=b"text/event-stream"))
    heads = fields(ask(streamed, said(stream=True)))
    assert float(heads["x-underspend-cost-estimate"]) > 0
    assert "x-underspend-cost" not in heads


def test_a_slot_keeps_its_model_within_a_tool_loop():
    upstream = Upstream([message()])
    made = routed(upstream, AGGRESSIVE, state=State.ON, knowledge=knowing())
    body = said(model=OPUS)
    ask(made, body)
    made.router.learning.knowledge = knowing(good=(OPUS,))
    body["messages"] += [{"role": "assistant", "content": [USE]}, {"role": "user", "content": [result()]}]
    ask(made, body)
    assert [each["model"] for each in sent(upstream)] == [HAIKU, HAIKU]


REFUSAL = json.dumps(
    {"type": "error", "error": {"type": "invalid_request_error", "message": "thinking: not supported by this model"}}
).encode()


class Picky(Upstream):
    """Refuses one model."""

    def __init__(self, model, refusal=REFUSAL):
        super().__init__([message()])
        self.model, self.refusal = model, refusal

    async def send(self, method, target, headers, body):
        refused = json.loads(body)["model"] == self.model
        self.status, self.chunks = (400, [self.refusal]) if refused else (200, [message()])
        return await Upstream.send(self, method, target, headers, body)


def test_a_refusal_that_we_caused_is_sent_once_more_as_it_came_and_remembered():
    upstream = Picky(HAIKU)
    made = routed(upstream, AGGRESSIVE, state=State.ON, knowledge=knowing())
    body = json.dumps(said(model=OPUS)).encode()
    told = ask(made, body)
    assert told.status == 200
    assert [each["model"] for each in sent(upstream)] == [HAIKU, OPUS]
    assert upstream.sent[1][3] == body
    first, second = rows(made)
    assert (first["status"], second["status"], second["attempt_of"]) == (400, 200, first["id"])
    assert first["cost_pico"] == 0
    assert "refused it" in fields(told)["x-underspend-reason"]
    ask(made, said("Another question?", model=OPUS))
    assert HAIKU not in [each["model"] for each in sent(upstream)[2:]]
    assert made.status.in_flight == 0


def test_a_refusal_of_an_auto_call_goes_to_the_first_of_its_preference():
    upstream = Picky(HAIKU)
    strategy = AutoModel(mode=Mode.AGGRESSIVE, sees_all=True)
    made = routed(upstream, strategy, state=State.ON, knowledge=knowing())
    assert ask(made, said()).status == 200
    assert [each["model"] for each in sent(upstream)] == [HAIKU, SONNET]


def test_a_refusal_that_any_model_would_give_is_passed_on_untouched():
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"messages.1: tool_use ids not found"}}'
    upstream = Picky(HAIKU, body)
    made = routed(upstream, AGGRESSIVE, state=State.ON, knowledge=knowing())
    told = ask(made, said(model=OPUS))
    assert (told.status, told.body) == (400, body)
    assert len(upstream.sent) == 1


def test_a_check_that_passes_is_a_result_for_the_model_that_worked():
    made = routed(Upstream([message()]), AGGRESSIVE, state=State.ON, knowledge=knowing())
    learned = []
    made.router.learning.learn = learned.append
    body = said(model=OPUS, tools=TOOLS)
    ask(made, body)
    body["messages"] += [
        {"role": "assistant", "content": [EDIT, USE]},
        {"role": "user", "content": [result(use="t0"), result("5 passed")]},
    ]
    ask(made, body)
    body["messages"] += [{"role": "assistant", "content": "Done."}, {"role": "user", "content": "And now?"}]
    ask(made, body)
    made.router.tasks.end_all()
    first = learned[0]
    assert (first.arm.model, first.quality, first.randomised) == (HAIKU, 1.0, False)
    assert first.cost == sum(row["cost_pico"] for row in rows(made)[:2])


def test_a_failure_takes_the_slot_up_at_its_next_turn():
    upstream = Upstream([message()])
    made = routed(upstream, AGGRESSIVE, state=State.ON, knowledge=knowing())
    body = said(model=OPUS, tools=TOOLS)
    ask(made, body)
    wrong = result("InputValidationError: no such thing", error=True)
    body["messages"] += [{"role": "assistant", "content": [USE]}, {"role": "user", "content": [wrong]}]
    ask(made, body)
    body["messages"] += [{"role": "assistant", "content": "Sorry."}, {"role": "user", "content": "Try again"}]
    ask(made, body)
    assert [each["model"] for each in sent(upstream)] == [HAIKU, HAIKU, SONNET]


def test_slots_drawn_by_chance_keep_their_model_and_their_results_say_so():
    upstream = Upstream([message(stop_reason="refusal")])
    made = routed(upstream, AGGRESSIVE, state=State.ON, knowledge=knowing(), explore=1.0)
    learned = []
    made.router.learning.learn = learned.append
    for n in range(30):
        ask(made, said(f"{ASK} {n}", model=OPUS))
    models = {each["model"] for each in sent(upstream)}
    assert models == {HAIKU, SONNET, OPUS}
    assert len(learned) == 30
    assert all(each.randomised for each in learned)


def test_without_drawing_no_result_is_randomised():
    made = routed(
        Upstream([message(stop_reason="refusal")]), AGGRESSIVE, state=State.ON, knowledge=knowing(), explore=0
    )
    learned = []
    made.router.learning.learn = learned.append
    ask(made, said(model=OPUS))
    assert [each.randomised for each in learned] == [False]


def test_a_tag_is_known_to_the_users_rules():
    upstream = Upstream([message()])
    strategy = AutoModel(rules=(RouteRule(to=HAIKU, tags=("cheap",)),))
    made = routed(upstream, strategy)
    ask(made, said(), headers={"x-underspend-tag": "nightly, cheap"})
    ask(made, said("Other"))
    assert [each["model"] for each in sent(upstream)] == [HAIKU, SONNET]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_auto_of_openai_clients_is_served_by_the_upstream(path):
    upstream = Upstream([message()])
    made = routed(upstream)
    body = {"model": "auto:cheapest", "messages": [{"role": "user", "content": ASK}], "strategy": "quality"}
    if path.endswith("responses"):
        body = {"model": "auto:cheapest", "input": ASK}
    told = ask(made, body, route=classify("POST", path))
    assert told.status == 200, told.body
    assert sent(upstream)[0]["model"] == HAIKU
    assert fields(told)["x-underspend-model"] == HAIKU
    assert rows(made)[0]["model_asked"] == "auto:cheapest"


def test_what_fails_in_the_router_costs_nobody_a_call_that_can_be_made(monkeypatch):
    upstream = Upstream([message()])
    made = routed(upstream, AGGRESSIVE, state=State.ON)

    def broken(*_, **__):
        raise RuntimeError("router bug")

    monkeypatch.setattr("underspend.gateway.watching.read", broken)
    assert ask(made, said(model=OPUS)).status == 200
    assert ask(made, said(model="auto:quality")).status == 200
    assert [each["model"] for each in sent(upstream)] == [OPUS, OPUS]
    assert {each["component"] for each in made.status.snapshot()["faults"]} == {"router"}
    monkeypatch.setattr(AutoModel, "route", broken)
    told = ask(made, said())
    assert (told.status, len(upstream.sent)) == (400, 2)


def test_tokens_of_an_auto_call_are_counted_for_the_first_model_of_its_preference():
    upstream = Upstream([b'{"input_tokens":5}'])
    made = routed(upstream)
    made.asking.first = made.router.first
    route = classify("POST", "/v1/messages/count_tokens")
    told = ask(made, said(model="auto:quality", strategy="cheapest"), route=route, headers={"content-length": "7"})
    assert told.status == 200
    assert sent(upstream)[0]["model"] == OPUS
    assert b"content-length" not in dict(upstream.sent[0][2])


def test_watching_waits_until_the_reply_is_out(monkeypatch):
    made = routed(Upstream([message()]), AutoModel(sees_all=True), knowledge=knowing())
    told, seen = Told(), []
    watched = Router.watched
    monkeypatch.setattr(Router, "watched", lambda *args: (seen.append(told.ended), watched(*args))[1])
    asyncio.run(made.handle(Asked(json.dumps(said(model=OPUS)).encode()), told, MESSAGES))
    assert seen == [True]


def test_a_budget_holds_what_the_model_asked_for_may_cost_too():
    """A call that is refused elsewhere goes back to it."""
    upstream = Upstream([message()])
    made = routed(upstream, AGGRESSIVE, state=State.ON, knowledge=knowing(), budgets=[daily(1000)])
    plain = pipeline(Upstream([message()]), budgets=[daily(1000)])
    held = []
    for each in (made, plain):
        there = each.attempts.destinations.home.upstream

        async def send(*args, each=each, there=there):
            held.append(standings(each)[0].held)
            return await Upstream.send(there, *args)

        there.send = send
        ask(each, said(model=OPUS))
    assert json.loads(upstream.sent[0][3])["model"] == HAIKU
    assert held[0] == held[1] > 0
    assert standings(made)[0].held == 0


def drawn(results):
    """Knowledge of slots that were drawn by chance, all of them done well."""
    made = knowing()
    for model in (HAIKU, OPUS):
        for at in range(results):
            arm = Arm(model)
            made.learn(Result(task="short-question", arm=arm, quality=1.0, cost=10**9, at=at, randomised=True))
    made.promise = Promise(epsilon=0.05, delta=0.1)
    return made


@pytest.mark.parametrize(("results", "served"), [(30, OPUS), (3_000, HAIKU)])
def test_certified_routing_begins_with_the_certificate(results, served):
    upstream = Upstream([message()])
    strategy = AutoModel(mode=Mode.CERTIFIED, route_pinned=ANYONE, sees_all=True)
    made = routed(upstream, strategy, state=State.ON, knowledge=drawn(results))
    ask(made, said(model=OPUS))
    assert [each["model"] for each in sent(upstream)] == [served]


def test_a_subscriptions_calls_and_those_held_out_are_left_alone():
    for options in ({"headers": {"authorization": "Bearer sk-ant-oat01-x"}}, {"holdout": Holdout(1.0)}):
        heads = options.pop("headers", {}) | {"x-claude-code-session-id": "11111111-2222-3333-4444-555555555555"}
        upstream = Upstream([message()])
        made = routed(upstream, AGGRESSIVE, state=State.ON, knowledge=knowing(), **options)
        ask(made, said(model=OPUS), headers=heads)
        assert [each["model"] for each in sent(upstream)] == [OPUS]
        assert ask(made, said(), headers=heads).status == 200


def test_a_conversation_that_goes_on_is_not_drawn():
    upstream = Upstream([message()])
    made = routed(upstream, AGGRESSIVE, state=State.ON, knowledge=knowing(good=(OPUS,)), explore=1.0)
    for n in range(20):
        body = said(f"{ASK} {n}", model=OPUS)
        body["messages"] += [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "Why?"}]
        ask(made, body)
    assert {each["model"] for each in sent(upstream)} == {OPUS}


def test_a_result_is_that_of_the_model_that_did_it_in_the_end():
    upstream = Picky(HAIKU)
    made = routed(upstream, AGGRESSIVE, state=State.ON, knowledge=knowing())
    told = fields(ask(made, said(model=OPUS)))
    task = made.router.tasks.of_call(rows(made)[-1]["id"])
    assert told["x-underspend-call"] == rows(made)[-1]["id"]
    assert (task.arm.model, task.drawn) == (OPUS, False)


def test_where_the_class_decides_nothing_it_is_found_once_the_reply_is_out(monkeypatch):
    upstream, told = Upstream([message()]), Told()
    made = routed(upstream)
    ended = []
    monkeypatch.setattr("underspend.gateway.watching.class_of", lambda *_: ended.append(told.ended) or "chat")
    raw = json.dumps(said()).encode()
    asyncio.run(made.handle(Asked(raw), told, MESSAGES))
    assert ended == [True]
    (row,) = rows(made)
    task = made.router.tasks.of_call(row["id"])
    assert (task.name, bool(task.features)) == ("chat", True)


def test_where_the_class_decides_it_is_found_before_the_call_is_sent(monkeypatch):
    upstream = Upstream([message()])
    made = routed(upstream, AutoModel(tasks={"chat": "best"}))
    before = []
    monkeypatch.setattr("underspend.gateway.watching.class_of", lambda *_: before.append(not upstream.sent) or "chat")
    ask(made, said())
    assert before == [True]
    assert sent(upstream)[0]["model"] == OPUS


def test_of_very_many_calls_a_second_no_more_are_read_than_there_is_time_for():
    made = routed(Upstream([message()]), clock=FixedClock())
    for number in range(60):
        ask(made, said(f"{ASK} {number}"))
    tasks = [made.router.tasks.of_call(row["id"]) for row in rows(made)]
    assert sum(bool(task.features) for task in tasks) == 50
    assert [task.name for task in tasks if not task.features] == ["unknown"] * 10


def test_what_a_decision_went_by_and_what_is_drawn_is_read_of_every_call():
    made = routed(Upstream([message()]), AGGRESSIVE, state=State.ON, knowledge=knowing(), clock=FixedClock())
    for number in range(60):
        ask(made, said(f"{ASK} {number}"))
    tasks = [made.router.tasks.of_call(row["id"]) for row in rows(made)]
    assert "unknown" not in {task.name for task in tasks}
    drawn = routed(Upstream([message()]), AGGRESSIVE, state=State.ON, knowledge=knowing(), explore=1.0)
    for number in range(60):
        ask(drawn, said(f"{ASK} {number}", model=OPUS))
    assert all(drawn.router.tasks.of_call(row["id"]).features for row in rows(drawn))


def test_a_call_that_nobody_read_is_of_its_callers_kind():
    who = Identity(role=Role.SUBAGENT, agent_type="explore")
    call = Call(id="a", time=0, provider="anthropic", endpoint="messages", model=OPUS, identity=who)
    assert unread(call) == "sub-agent/explore"
    assert unread(replace(call, identity=Identity(role=Role.MAIN))) == "main"

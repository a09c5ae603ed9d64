"""Budgets in a whole pipeline: every attempt, fallback and escalation is held and counted, and LiteLLM's failures."""

import asyncio
import json
from contextlib import nullcontext
from dataclasses import replace

import pytest
from doubles import NOW, Asked, Told, Upstream, body, daily, gate_over, pipeline, standings
from replies import events, message

from targets import chat, to
from underspend.core.budgets import Action, AtCap, Scope
from underspend.core.holds import HoldsError, Override
from underspend.core.money import from_usd
from underspend.core.windows import window
from underspend.gateway.relay import Relay
from underspend.gateway.routes import classify
from underspend.gateway.transport import UpstreamCutError
from underspend.stores.holds.memory import MemoryHolds

MESSAGES = classify("POST", "/v1/messages")
CHAT = classify("POST", "/v1/chat/completions")
KEY = [(b"x-api-key", b"sk-ant-api03-client")]
CLAUDE = [*KEY, (b"user-agent", b"claude-cli/2.1.328 (external, cli)")]
ONE = daily("0.02", name="one", window=window("request"))
STREAM = b"text/event-stream"


def handle(made, data=None, *, headers=KEY, route=MESSAGES, told=None):
    told = told or Told()
    asyncio.run(made.handle(Asked(data or body(), headers=list(headers)), told, route))
    return told


def rows(made):
    return list(made.books.ledger.calls.values())


def counted(made):
    return [(each.spent, each.held) for each in standings(made)]


def cost(made):
    return sum(row.get("cost_pico", 0) for row in rows(made))


class Watched(Upstream):
    """Notes what was held when it was asked."""

    def watch(self, made):
        self.made, self.held = made, []
        return made

    async def send(self, *asked):
        self.held.append(standings(self.made)[0].held)
        return await super().send(*asked)


@pytest.mark.parametrize(
    "upstream",
    [
        Upstream([message()]),
        Upstream(events(), content_type=STREAM),
        Upstream(events()[:5], content_type=STREAM, cut=True),
        Upstream([b'{"error":{}}'], status=529),
    ],
    ids=["whole", "stream", "cut", "error"],
)
def test_what_the_ledger_has_is_what_the_budget_counts(upstream):
    made = pipeline(upstream, budgets=[daily("5")])
    handle(made)
    assert counted(made) in ([(cost(made), 0)], [(0, 0)])
    assert made.gate.holding._open == {}


def test_a_call_upstream_never_got_leaves_nothing():
    made = pipeline(Upstream([], error=UpstreamCutError("gone")), budgets=[daily("5")])
    with pytest.raises(UpstreamCutError):
        handle(made)
    assert made.gate.holding._open == {}
    assert counted(made) == [(cost(made), 0)]


def test_a_refused_call_is_in_the_ledger_and_upstream_knows_nothing_of_it():
    upstream = Upstream([message()])
    made = pipeline(upstream, budgets=[daily("0.001")])
    told = handle(made, headers=CLAUDE, data=body(tools=[{"name": "t", "input_schema": {}}]))
    assert json.loads(told.body)["stop_reason"] == "end_turn"
    (settlement,) = made.books.ledger.settlements.values()
    assert (settlement.call["outcome"], settlement.call["status"]) == ("refused", 200)
    decision = settlement.decisions[-1]
    assert (decision["strategy"], decision["edit"], decision["applied"]) == ("budget", "Refuse", True)
    assert upstream.sent == []
    assert handle(made).status == 402


def test_every_attempt_of_a_chain_is_held_and_counted():
    first = Watched([b"{}"], status=529)
    second = Watched([chat()])
    made = pipeline(first, others=[to(second)], fallbacks={"claude-opus-5-5": ["other/gpt-5.5"]}, budgets=[daily("5")])
    first.watch(made)
    second.watch(made)
    assert handle(made).status == 200
    assert [row["outcome"] for row in rows(made)] == ["error", "ok"]
    assert first.held[0] > 0
    assert second.held[0] > 0
    assert counted(made) == [(cost(made), 0)]


def test_a_fallback_into_a_budget_that_has_no_room_is_not_made():
    second = Upstream([chat()])
    only = daily("0.000001", name="gpt", scope=Scope.MODEL, only="gpt-5.5")
    made = pipeline(
        Upstream([b"{}"], status=529),
        others=[to(second)],
        fallbacks={"claude-opus-5-5": ["other/gpt-5.5"]},
        budgets=[only],
    )
    told = handle(made)
    assert (told.status, second.sent) == (402, [])
    assert [(row["outcome"], row.get("attempt_of") is None) for row in rows(made)] == [
        ("error", True),
        ("refused", False),
    ]
    assert made.gate.holding._open == {}


def test_an_unknown_model_is_held_and_counted_at_the_dearest_price():
    upstream = Watched([message(model="claude-next")])
    made = upstream.watch(pipeline(upstream, budgets=[daily("5")]))
    handle(made, body(model="claude-next"))
    plain = Watched([message()])
    known = plain.watch(pipeline(plain, budgets=[daily("5")]))
    handle(known)
    assert upstream.held[0] > plain.held[0] > 0
    assert rows(made)[0]["cost_pico"] == 0
    assert counted(made)[0][0] > counted(known)[0][0] > 0


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "document", "source": {"type": "file", "file_id": "file_1"}}],
        [{"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}],
    ],
)
def test_what_a_call_names_and_does_not_hold_is_held_as_a_whole_window(content):
    upstream = Watched([message()])
    made = upstream.watch(pipeline(upstream, budgets=[daily("50")]))
    handle(made, body(messages=[{"role": "user", "content": content}]))
    assert upstream.held[0] > from_usd(5)
    unknown = pipeline(Upstream([message()]), budgets=[daily("50")])
    assert handle(unknown, body(model="new", messages=[{"role": "user", "content": content}])).status == 402


def test_where_it_runs_and_how_many_replies_are_asked_for_is_held_too():
    held = []
    for changes in ({}, {"inference_geo": "us"}):
        upstream = Watched([message()])
        handle(upstream.watch(pipeline(upstream, budgets=[daily("50")])), body(max_tokens=20_000, **changes))
        held += upstream.held
    assert held[1] > held[0] * 108 // 100
    held = []
    for changes in ({}, {"n": 4}):
        other = Watched([chat()])
        made = other.watch(pipeline(Upstream([]), others=[to(other)], budgets=[daily("50")]))
        said = {"model": "other/gpt-5.5", "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]}
        handle(made, json.dumps({**said, **changes}).encode(), route=CHAT)
        held += other.held
    assert held[1] > 4 * held[0]


def test_counting_tokens_is_free_and_never_refused():
    made = pipeline(Upstream([b'{"input_tokens":5}']), budgets=[daily("0")])
    assert handle(made, route=classify("POST", "/v1/messages/count_tokens")).status == 200


@pytest.mark.parametrize("path", ["/v1/complete", "/v1/batches", "/odd"])
def test_a_path_nobody_can_price_does_not_slip_a_budget_that_blocks(path):
    """LiteLLM's and others' F11: a route that bypasses budgets."""
    upstream = Upstream([message()])
    made = pipeline(upstream, budgets=[daily("5")])
    assert (handle(made, route=classify("POST", path)).status, upstream.sent) == (402, [])
    warns = pipeline(Upstream([message()]), budgets=[daily("5", action=Action.WARN)])
    assert handle(warns, route=classify("POST", path)).status == 200
    assert counted(warns) == [(cost(warns), 0)]


def test_a_body_that_cannot_be_read_does_not_slip_a_budget_that_blocks():
    upstream = Upstream([message()])
    assert handle(pipeline(upstream, budgets=[daily("5")]), b"[]").status == 402
    assert upstream.sent == []


def test_f1_calls_at_once_do_not_all_pass_on_the_same_reading():
    """LiteLLM #34732, #40095, #26672: checked, then charged."""
    upstream = Upstream([message()])
    made = pipeline(upstream, budgets=[daily("5", window=window("session"))])
    send = upstream.send

    async def slow(*asked):
        await asyncio.sleep(0.02)
        return await send(*asked)

    upstream.send = slow
    told = [Told() for _ in range(64)]

    async def all_at_once():
        data = body(max_tokens=12_000)
        headers = [*KEY, (b"x-claude-code-session-id", b"s")]
        await asyncio.gather(*(made.handle(Asked(data, headers=headers), each, MESSAGES) for each in told))

    asyncio.run(all_at_once())
    passed = sum(each.status == 200 for each in told)
    assert passed == len(upstream.sent) == 20  # of $0.25 at most each
    assert counted(made) == [(cost(made), 0)]


@pytest.mark.parametrize("times", [1, 5])
def test_f2_no_hold_leaks_however_a_call_ends(times):
    """LiteLLM #27639, #36926, #40050: refused with real spending far below the cap."""
    made = pipeline(Upstream([message()]), budgets=[daily("5")])

    async def left(*_):
        raise asyncio.CancelledError

    ends = [
        lambda up: setattr(up, "status", 500),
        lambda up: setattr(up, "send", left),
        lambda up: setattr(up, "error", RuntimeError("bug")),
    ]
    for end in ends * times:
        upstream = Upstream([message()])
        end(upstream)
        made.attempts.destinations.home = replace(made.attempts.destinations.home, upstream=upstream)
        made.asking.destinations.home = made.attempts.destinations.home
        with pytest.raises((asyncio.CancelledError, RuntimeError)) if upstream.status == 200 else nullcontext():
            handle(made)
    assert sum(each.held for each in standings(made)) == 0
    assert made.gate.holding._open == {}


def test_f3_two_gateways_on_one_store_count_together():
    """Bifrost #3547, LiteLLM #40020: each replica with a sum of its own."""
    store, day = MemoryHolds(), daily("5")
    both = []
    for _ in range(2):
        made = pipeline(Upstream([message()]))
        made.gate = made.attempts.gate = gate_over(made.books, made.forecast, [day], holds=store)
        both.append(made)
    told = [handle(made, body(max_tokens=200_000)) for made in both]
    assert [each.status for each in told] == [200, 200]
    assert counted(both[0]) == counted(both[1]) == [(sum(map(cost, both)), 0)]


def test_a_store_that_is_away_stops_calls_only_where_a_budget_blocks():
    class Down(MemoryHolds):
        def reserve(self, *args, **options):
            raise HoldsError(where="there", problem="gone")

    for action, status in ((Action.BLOCK, 402), (Action.WARN, 200)):
        made = pipeline(Upstream([message()]))
        made.gate = made.attempts.gate = gate_over(made.books, made.forecast, [daily("5", action=action)], holds=Down())
        assert handle(made).status == status


def test_a_stream_that_reaches_its_requests_cap_is_ended_and_upstream_left():
    upstream = Upstream(events(deltas=400, output_tokens=4000), content_type=STREAM)
    ends = replace(ONE, at_cap=AtCap.END)
    made = pipeline(upstream, budgets=[ends, daily("5")])
    told = handle(made, body(stream=True, max_tokens=100_000))
    assert told.ended
    assert b"The reply was ended here" in told.body
    assert told.body.endswith(b'data: {"type":"message_stop"}\n\n')
    assert upstream.closed
    (row,) = rows(made)
    assert (row["outcome"], row["evidence"]) == ("cut", "estimated")
    assert "ended here" in row["notes"]
    assert abs(row["cost_pico"] - ONE.cap) < ONE.cap // 10
    assert counted(made) == [(row["cost_pico"], 0)]


def test_a_reply_that_cannot_be_ended_is_refused_at_its_requests_cap():
    ends = replace(ONE, at_cap=AtCap.END)
    upstream = Upstream([message()])
    assert handle(pipeline(upstream, budgets=[ends]), body(max_tokens=100_000)).status == 402
    other = Upstream([chat()])
    made = pipeline(upstream, others=[to(other)], budgets=[ends])
    said = {"model": "other/gpt-5.5", "max_tokens": 100_000, "stream": True, "messages": []}
    assert handle(made, json.dumps(said).encode(), route=CHAT).status == 402
    assert upstream.sent == other.sent == []


def test_a_message_batch_is_refused_where_a_budget_blocks_and_let_through_while_it_is_paused():
    upstream = Upstream([b'{"id":"b"}'])
    made = pipeline(upstream, budgets=[daily("5")])
    relay = Relay(
        upstream=upstream, books=made.books, identifier=made.asking.identifier, status=made.status, gate=made.gate
    )

    def post(path, method="POST"):
        told = Told()
        asked = Asked(b"{}", method=method, path=path.encode(), headers=list(KEY))
        asyncio.run(relay.handle(asked, told, classify(method, path)))
        return told.status

    assert post("/v1/messages/batches") == 402
    assert post("/v1/messages/batches", "GET") == post("/v1/messages/batches/b/cancel") == 200
    made.gate.holding.holds.holds.override(Override("day", None, NOW + 1))
    assert post("/v1/messages/batches") == 200


def test_a_call_that_comes_to_nothing_before_it_is_sent_leaves_no_hold(monkeypatch):
    made = pipeline(Upstream([message()]), budgets=[daily("5")])

    def broken(*_, **__):
        raise RuntimeError("bug")

    monkeypatch.setattr(type(made.books), "open", broken)
    with pytest.raises(RuntimeError):
        handle(made)
    assert made.gate.holding._open == {}
    assert sum(each.held for each in standings(made)) == 0


def test_a_subscriptions_calls_are_neither_counted_nor_refused():
    oauth = [(b"authorization", b"Bearer sk-ant-oat01-x"), (b"anthropic-beta", b"oauth-2025-04-20")]
    made = pipeline(Upstream([message()]), budgets=[daily("0")])
    assert handle(made, headers=oauth).status == 200
    assert rows(made)[0]["cost_pico"] > 0
    assert counted(made) == []


def test_the_role_decides_who_gets_a_message():
    made = pipeline(Upstream([message()]), budgets=[daily("0")])
    hinted = [*KEY, (b"x-claude-code-request-class", b"subagent")]
    assert handle(made, headers=hinted).status == 402
    assert handle(made, headers=[*KEY, (b"x-claude-code-request-class", b"main")]).status == 200


@pytest.mark.parametrize(("action", "status"), [(Action.BLOCK, 402), (Action.WARN, 200)])
def test_a_bug_of_ours_stops_calls_only_where_a_budget_blocks(monkeypatch, action, status):
    def broken(*_, **__):
        raise RuntimeError("bug")

    made = pipeline(Upstream([message()]), budgets=[daily("5", action=action)])
    monkeypatch.setattr("underspend.gateway.holding.claims", broken)
    assert handle(made).status == status
    assert "bug" in made.status.snapshot()["faults"][0]["message"]


def test_a_guard_that_fails_at_the_end_costs_nobody_a_reply(monkeypatch):
    made = pipeline(Upstream([message()]), budgets=[daily("5")])

    def broken(*_, **__):
        raise RuntimeError("bug")

    monkeypatch.setattr(type(made.gate.holding), "settle", broken)
    assert handle(made).status == 200
    assert rows(made)[0]["state"] == "settled"
    assert made.status.in_flight == 0

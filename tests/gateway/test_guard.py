"""Limits, pauses and verdicts on the path of a call, with every port in memory."""

from __future__ import annotations

import asyncio
import json

import pytest
from agents import Agent
from doubles import NOW, Asked, Told, Upstream, pipeline
from replies import message

from underspend.core.alerts import Kind, Severity
from underspend.core.rate_limits import AtLimit, Measure, Per, Rate, RateLimit, RateLimits
from underspend.core.runaway import FanOutRules, Runaway, RunawayRules
from underspend.core.velocity import Pace
from underspend.formats.anthropic_blocks import Anatomist
from underspend.gateway.acting import Acting
from underspend.gateway.guard import Guard
from underspend.gateway.routes import classify
from underspend.pricing.catalogue import catalogue

SECOND, DOLLAR = 1_000_000, 10**12
MESSAGES = classify("POST", "/v1/messages")
CHAT = classify("POST", "/v1/chat/completions")
ALL = frozenset({Kind.LOOP, Kind.FAN_OUT, Kind.VELOCITY})


class Clock:
    def __init__(self):
        self.at = NOW

    def now(self):
        return self.at

    def later(self, seconds):
        self.at += seconds * SECOND


class Heard:
    def __init__(self):
        self.alerts = []

    def tell(self, alert):
        self.alerts.append(alert)


def limit(most, *, per=60, **more):
    return RateLimit(name="storm", rate=Rate(most=most, per=per * SECOND, burst=most), **more)


def guarded(*limits, rules=None, upstream=None, act_on_subscription=False, **options):
    """A pipeline with a guard; `heard` on it is what was told."""
    made = pipeline(upstream or Upstream([message()]), clock=Clock(), **options)
    anatomist, heard = Anatomist(), Heard()
    made.guard = Guard(
        clock=made.clock,
        status=made.status,
        anatomy=lambda each: anatomist.anatomy(tools=each.tools, system=each.system, messages=each.messages),
        tells=heard,
        limits=RateLimits(limits) if limits else None,
        runaway=Runaway(rules) if rules is not None else None,
        act_on_subscription=act_on_subscription,
    )
    return made, heard.alerts


def ask(made, agent, *, route=MESSAGES, **more):
    told = Told()
    fields = [(name.encode(), value.encode()) for name, value in agent.headers.items()]
    asyncio.run(made.handle(Asked(agent.body(**more), headers=fields), told, route))
    return told


def fields(told):
    return {name.decode(): value.decode() for name, value in told.headers}


def decided(made):
    """What the ledger has of each call: who decided, what, whether it was done."""
    return [
        [(row["strategy"], row["edit"], row["applied"]) for row in settlement.decisions]
        for settlement in made.books.ledger.settlements.values()
    ]


def test_a_call_over_a_limit_is_told_when_to_come_again():
    made, heard = guarded(limit(2))
    agent = Agent()
    assert [ask(made, agent).status for _ in range(3)] == [200, 200, 429]
    told = ask(made, agent)
    assert (fields(told)["retry-after"], fields(told)["x-should-retry"]) == ("60", "true")  # behind the first
    error = json.loads(told.body)
    assert (error["type"], error["error"]["type"]) == ("error", "rate_limit_error")
    assert "The rate limit storm (2 calls per 60 s, 2 at once) is reached for session 1111" in error["error"]["message"]
    assert [(alert.kind, alert.severity) for alert in heard] == [(Kind.RATE_LIMIT, Severity.WARNING)] * 2
    made.clock.later(30)
    assert ask(made, agent).status == 200


def test_a_call_that_has_to_wait_is_in_the_ledger_with_its_decision_and_reaches_nobody():
    upstream = Upstream([message()])
    made, _ = guarded(limit(1), upstream=upstream)
    ask(made, Agent())
    ask(made, Agent())
    assert len(upstream.sent) == 1
    assert decided(made) == [[], [("rate_limits", "Refuse", True)]]
    row = list(made.books.ledger.calls.values())[-1]
    assert (row["outcome"], row["status"]) == ("refused", 429)
    assert made.status.in_flight == 0


def test_who_would_have_to_wait_for_longer_than_clients_heed_is_told_not_to_try():
    made, _ = guarded(limit(1, per=3600))
    told = [ask(made, Agent()) for _ in range(2)][-1]
    assert (fields(told)["retry-after"], fields(told)["x-should-retry"]) == ("3600", "false")


def test_each_session_and_each_key_has_its_own_limit():
    made, _ = guarded(limit(1))
    assert [ask(made, Agent(session=name)).status for name in ("a", "b", "a")] == [200, 200, 429]
    made, _ = guarded(limit(1, of=Per.KEY))
    found = [ask(made, Agent(session=name, key=key)).status for name, key in (("a", "k1"), ("b", "k2"), ("c", "k1"))]
    assert found == [200, 200, 429]


def test_tokens_of_prompts_can_be_limited():
    made, _ = guarded(limit(500, measure=Measure.TOKENS))
    agent = Agent()
    agent.prompt("word " * 600)
    assert [ask(made, agent).status for _ in range(2)] == [200, 429]


def test_a_limit_that_only_warns_lets_the_call_go_and_says_so_in_the_ledger():
    made, heard = guarded(limit(1, at_limit=AtLimit.WARN))
    assert [ask(made, Agent()).status for _ in range(2)] == [200, 200]
    assert decided(made) == [[], [("rate_limits", "Warn", True)]]
    assert len(heard) == 1


def test_a_subscriptions_calls_are_counted_and_told_and_never_stopped():
    made, heard = guarded(limit(1))
    assert [ask(made, Agent(login=True)).status for _ in range(3)] == [200] * 3
    assert decided(made)[1:] == [[("rate_limits", "Refuse", False)]] * 2
    assert len(heard) == 2
    made, _ = guarded(limit(1), act_on_subscription=True)
    assert [ask(made, Agent(login=True)).status for _ in range(2)] == [200, 429]


def test_a_safety_check_of_the_client_is_never_stopped():
    made, _ = guarded(limit(1))
    ask(made, Agent())
    assert ask(made, Agent(), stop_sequences=["</severity>"]).status == 200


def test_counting_tokens_is_no_call():
    made, _ = guarded(limit(1), rules=RunawayRules())
    count = classify("POST", "/v1/messages/count_tokens")
    assert [ask(made, Agent(), route=count).status for _ in range(3)] == [200] * 3


def test_a_limit_speaks_the_clients_dialect():
    made, _ = guarded(limit(1))
    ask(made, Agent())
    told = ask(made, Agent(), route=CHAT)
    assert told.status == 429
    assert json.loads(told.body)["error"]["type"] == "rate_limit_error"
    assert fields(told)["retry-after"] == "60"


def loop(made, agent, times):
    """So many steps of which each failed like the one before; the last reply."""
    for _ in range(times):
        agent.step()
        told = ask(made, agent)
    return told


def test_a_loop_is_told_at_four_and_pauses_at_eight():
    upstream = Upstream([message()])
    made, heard = guarded(rules=RunawayRules(may_pause=ALL), upstream=upstream)
    agent = Agent()
    ask(made, agent)
    loop(made, agent, 3)
    assert heard == []
    loop(made, agent, 1)
    assert [(alert.kind, alert.severity) for alert in heard] == [(Kind.LOOP, Severity.WARNING)]
    loop(made, agent, 4)
    assert heard[-1].severity is Severity.CRITICAL
    assert "Bash failed 8 times in a row" in heard[-1].words
    assert len(upstream.sent) == 9
    told = loop(made, agent, 1)
    assert len(upstream.sent) == 9
    reply = json.loads(told.body)
    assert (told.status, reply["stop_reason"], reply["usage"]["output_tokens"]) == (200, "end_turn", 0)
    assert reply["content"][0]["text"].startswith("Paused by Underspend. Bash failed 8 times in a row, with no edit in")
    assert reply["content"][0]["text"].endswith(
        "10 minutes are left. To go on at once: underspend alerts resume 11111111-aaaa-4bbb-8ccc-222222222222"
    )
    assert fields(told)["x-underspend-pause"] == "loop"
    assert decided(made)[4:] == [[("runaway", "Warn", True)]] * 5 + [[("runaway", "Refuse", True)]]


def test_a_streaming_client_gets_the_pause_as_a_stream():
    made, _ = guarded(rules=RunawayRules(may_pause=ALL))
    agent = Agent()
    loop(made, agent, 8)
    told = ask(made, agent, stream=True)
    assert told.body.startswith(b"event: message_start\n")
    assert told.body.endswith(b'data: {"type":"message_stop"}\n\n')


def test_the_next_prompt_ends_a_loops_pause():
    made, _ = guarded(rules=RunawayRules(may_pause=ALL))
    agent = Agent()
    loop(made, agent, 9)
    agent.says("Paused by Underspend.")
    agent.prompt("Look at the Makefile first.")
    assert fields(ask(made, agent)).get("x-underspend-pause") is None


def test_a_loop_is_only_told_unless_pausing_was_asked_for():
    made, heard = guarded(rules=RunawayRules())
    assert loop(made, Agent(), 12).body == message()
    assert heard[-1].severity is Severity.CRITICAL


def test_a_subscriptions_loop_is_told_and_not_paused():
    made, heard = guarded(rules=RunawayRules(may_pause=ALL))
    assert loop(made, Agent(login=True), 10).body == message()
    assert heard[-1].severity is Severity.CRITICAL
    assert "paused" not in heard[-1].words


def test_a_summary_of_a_paused_conversation_and_its_side_calls_go_through():
    made, _ = guarded(rules=RunawayRules(may_pause=ALL))
    agent = Agent()
    loop(made, agent, 9)
    assert ask(made, agent, tools=[]).body == message()
    agent.messages[-1]["content"].append(
        {"type": "text", "text": "Your task is to create a detailed summary of the conversation so far."}
    )
    assert ask(made, agent).body == message()


def test_many_sub_agents_pause_the_session():
    made, heard = guarded(rules=RunawayRules(fan_out=FanOutRules(warn=3, pause=6), may_pause=ALL))
    for number in range(6):
        ask(made, Agent(agent=f"a{number}"))
    assert [alert.severity.value for alert in heard] == ["warning"] * 3 + ["critical"]
    assert fields(ask(made, Agent()))["x-underspend-pause"] == "fan_out"
    assert fields(ask(made, Agent(session="other"))).get("x-underspend-pause") is None


def fast(**more):
    """A pipeline in which any call is spending too fast."""
    made, heard = guarded(rules=RunawayRules(pace=Pace(floor=1, least=1), may_pause=ALL), **more)
    stretch = Pace().stretch
    made.guard.runaway.remember((NOW - number * stretch, 1) for number in range(9, 1, -1))
    return made, heard


def test_spending_too_fast_pauses_all_and_programs_get_an_error():
    made, heard = fast()
    ask(made, Agent())
    assert [alert.kind for alert in heard] == [Kind.VELOCITY]
    told = ask(made, Agent(session=None, client="python"))
    assert (told.status, fields(told)["x-should-retry"]) == (402, "false")
    error = json.loads(told.body)["error"]
    assert error["type"] == "billing_error"
    assert error["message"].endswith("underspend alerts resume --all")
    assert fields(ask(made, Agent(session="another")))["x-underspend-pause"] == "velocity"


def test_a_chat_client_with_a_session_gets_the_pause_in_its_dialect():
    made, _ = fast()
    ask(made, Agent())
    reply = json.loads(ask(made, Agent(), route=CHAT).body)
    assert reply["choices"][0]["message"]["content"].startswith("Paused by Underspend.")
    assert b"chat.completion.chunk" in ask(made, Agent(), route=CHAT, stream=True).body


def test_what_a_call_was_taken_apart_into_is_given_to_the_ledger():
    made, _ = guarded(rules=RunawayRules())
    agent = Agent()
    agent.step()
    ask(made, agent)
    (settlement,) = made.books.ledger.settlements.values()
    assert [block.kind for block in settlement.prompt.blocks][-2:] == ["tool_use", "tool_result"]
    assert settlement.prompt.turn.startswith("0-")


def test_a_loop_is_found_where_strategies_follow_the_conversation():
    made, heard = guarded(rules=RunawayRules(may_pause=ALL), acting=Acting((), catalogue()))
    made.guard.anatomy = broken
    assert fields(loop(made, Agent(), 9))["x-underspend-pause"] == "loop"
    assert [alert.kind for alert in heard] == [Kind.LOOP] * 5
    assert made.status.snapshot()["faults"] == []


def broken(*_, **__):
    raise RuntimeError("bug of ours")


@pytest.mark.parametrize("part", ["admit", "paused", "watch"])
def test_each_part_may_fail_and_the_call_goes_through(part, monkeypatch):
    made, _ = guarded(limit(100), rules=RunawayRules(may_pause=ALL))
    if part == "paused":
        loop(made, Agent(), 8)
    owner = RateLimits if part == "admit" else Runaway
    monkeypatch.setattr(owner, part, broken)
    assert ask(made, Agent(session="new")).body == message()
    fault = made.status.snapshot()["faults"][0]
    assert (fault["component"], fault["message"]) == ("guard", "RuntimeError: bug of ours")
    assert made.status.in_flight == 0


def test_nobody_to_tell_is_no_fault():
    made, _ = guarded(limit(1), rules=RunawayRules())
    made.guard.tells = None
    assert [ask(made, Agent()).status for _ in range(2)] == [200, 429]
    assert made.status.snapshot()["faults"] == []


def test_a_call_that_failed_counts_its_cost_alone():
    made, heard = guarded(rules=RunawayRules(), upstream=Upstream([b"{}"], status=500))
    loop(made, Agent(), 9)
    assert heard == []

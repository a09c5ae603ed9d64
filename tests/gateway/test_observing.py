"""Nobody waits for what strategies would have done."""

import asyncio
import json

from doubles import Asked, Told, Upstream, pipeline
from replies import message
from routed import Ticking

from underspend.config.steps import steps_from
from underspend.gateway.acting import Acting
from underspend.gateway.following import Following
from underspend.gateway.observing import Spare
from underspend.gateway.routes import classify
from underspend.gateway.states import States
from underspend.pricing.catalogue import catalogue
from underspend.pricing.forecast import Forecast

MESSAGES = classify("POST", "/v1/messages")
KEY = [(b"x-api-key", b"k"), (b"x-claude-code-session-id", b"s")]
LOGIN = [(b"authorization", b"Bearer sk-ant-oat01-x"), (b"x-claude-code-session-id", b"s")]


def made(upstream, table=None):
    steps, _ = steps_from({"auto_model": {"state": "off"}, **(table or {})}, lambda name: name)
    acting = Acting(steps, catalogue(), everything=False)
    states = States(steps)
    found = pipeline(upstream, steps=steps, acting=acting, states=states, clock=Ticking())
    found.asking.following = Following(states, acting, Forecast())
    return found


def body(turns=1):
    messages = [{"role": "user", "content": "look"}]
    for n in range(turns):
        use = {"type": "tool_use", "id": f"t{n}", "name": "Bash", "input": {"command": f"seq {n}"}}
        result = {"type": "tool_result", "tool_use_id": f"t{n}", "content": "a line\n" * 2_000}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    messages[-1]["content"] = [*messages[-1]["content"]]
    messages[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    return json.dumps({"model": "claude-opus-5-5", "max_tokens": 9_000, "messages": messages}).encode()


def ask(gateway, raw, headers=KEY):
    told = Told()
    asyncio.run(gateway.handle(Asked(raw, headers=headers), told, MESSAGES))
    return told


def decided(gateway):
    ends = gateway.books.ledger.settlements.values()
    return [(row["strategy"], row["applied"]) for end in ends for row in end.decisions]


def test_what_is_in_shadow_is_told_when_the_reply_is_out_and_changes_nothing() -> None:
    upstream = Upstream([message()])
    gateway = made(upstream)
    raw = body()
    assert ask(gateway, raw).status == 200
    assert upstream.sent[0][3] == raw
    assert decided(gateway) == [("trim_results", False)]
    (row,) = gateway.books.ledger.calls.values()
    assert row["turn"].startswith("0-")


def test_a_subscription_is_observed_too() -> None:
    upstream = Upstream([message()])
    gateway = made(upstream, {"trim_results": {"state": "on"}})
    ask(gateway, body(), LOGIN)
    assert upstream.sent[0][3] == body()
    assert decided(gateway) == [("trim_results", False)]


def test_what_is_on_acts_before_and_the_others_see_what_was_sent() -> None:
    upstream = Upstream([message()])
    gateway = made(upstream, {"trim_results": {"state": "on"}})
    ask(gateway, body())
    assert upstream.sent[0][3] != body()
    assert decided(gateway) == [("trim_results", True)]


def test_a_call_that_failed_is_not_looked_at() -> None:
    gateway = made(Upstream([b"{}"], status=529))
    ask(gateway, body())
    assert decided(gateway) == []


def test_without_time_to_spare_calls_are_noted_and_no_more() -> None:
    gateway = made(Upstream([message()]))
    gateway.observing.spare = Spare(now=lambda: 0, left=0)
    ask(gateway, body())
    ask(gateway, body(2))
    assert decided(gateway) == []
    assert gateway.acting.known("s unknown").calls == 2


def test_a_fault_while_looking_costs_nothing(monkeypatch) -> None:
    gateway = made(Upstream([message()]))
    monkeypatch.setattr(gateway.acting, "anatomy", lambda message: 1 / 0)
    assert ask(gateway, body()).status == 200
    faults = gateway.status.snapshot()["faults"]
    assert [fault["component"] for fault in faults] == ["observing"]


def test_what_is_spare_is_a_hundredth_of_what_passes() -> None:
    now = [0]
    spare = Spare(now=lambda: now[0])
    assert spare.is_there()
    now[0] = 30_000
    spare.spend()
    assert not spare.is_there()
    now[0] += 900_000
    assert not spare.is_there()
    now[0] += 100_000
    assert spare.is_there()
    now[0] += 10**9
    spare.is_there()
    assert spare.left == 20_000

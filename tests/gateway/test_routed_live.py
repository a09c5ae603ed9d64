"""Routing in the real gateway: SDKs that leave the model to us, feedback, restarts, and a ledger that is the bill."""

import json
import sqlite3
from contextlib import closing
from decimal import Decimal

import anthropic
import openai
import pytest

from underspend.testing.fake_upstream import Fault, Reply, run_in_thread
from underspend.testing.fake_upstream.chat_format import CHAT
from underspend.testing.fake_upstream.foreign import foreign_in_thread

HELLO = [{"role": "user", "content": "Which word is longer?"}]
KEY = "sk-ant-api03-client"
AGGRESSIVE = """
[strategies.auto_model]
state = "on"
mode = "aggressive"
preference = "cheapest"
sees_all = true
route_pinned = ["unknown"]
"""
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")


@pytest.fixture(scope="module")
def fake():
    with run_in_thread(keep_bodies=True) as made:
        yield made


@pytest.fixture(autouse=True)
def plain(fake):
    fake.script = None


def by_anthropic(url):
    with anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0) as client:
        made = client.messages.with_raw_response.create(model="auto", max_tokens=50, messages=HELLO)
        assert made.parse().content
    return made.headers


def by_chat(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
        made = client.chat.completions.with_raw_response.create(
            model="auto", messages=HELLO, extra_body={"strategy": "cheapest"}
        )
        assert made.parse().choices[0].message.content
    return made.headers


def by_responses(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
        made = client.responses.with_raw_response.create(model="auto:quality", input="Which word is longer?")
        assert made.parse().output_text
    return made.headers


SERVED = {by_anthropic: "claude-sonnet-5-5", by_chat: "claude-haiku-5-5", by_responses: "claude-opus-5-5"}


@pytest.mark.parametrize("client", SERVED)
def test_every_sdk_may_leave_the_model_to_a_gateway_that_has_no_settings(start, fake, client):
    gateway = start(fake.url)
    heads = client(gateway.url)
    assert heads["x-underspend-model"] == SERVED[client]
    assert heads["x-underspend-model-asked"].startswith("auto")
    (row,) = gateway.rows(wait_for=1)
    assert heads["x-underspend-call"] == row["id"]
    assert Decimal(heads["x-underspend-cost"]) == Decimal(row["cost_pico"]) / 10**12
    assert row["cost_pico"] == fake.requests[-1].bill.picodollars
    assert gateway.status()["faults"] == []


def test_a_stream_is_served_with_an_estimate_and_its_id(start, fake):
    gateway = start(fake.url)
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as client:
        made = client.messages.with_raw_response.create(model="auto", max_tokens=50, messages=HELLO, stream=True)
        assert [event.type for event in made.parse()][-1] == "message_stop"
    assert Decimal(made.headers["x-underspend-cost-estimate"]) > 0
    assert gateway.rows(f"id = '{made.headers['x-underspend-call']}'", wait_for=1)


def test_a_configured_provider_may_be_chosen(start, fake):
    with foreign_in_thread(CHAT) as chat:
        tables = (
            f'[providers.openai]\nkind = "fake"\ndialect = "openai"\nbase_url = "{chat.url}"\nkey = "env:OUR_KEY"\n'
            '[strategies.auto_model.tiers]\nstandard = ["openai:gpt-5.5"]\n'
        )
        gateway = start(fake.url, config=tables, env={"OUR_KEY": "sk-ours-1"})
        heads = by_anthropic(gateway.url)
        assert heads["x-underspend-model"] == "gpt-5.5"
        (row,) = gateway.rows(wait_for=1)
        assert (row["provider"], row["model_asked"], row["model_sent"]) == ("openai", "auto", "gpt-5.5")
        assert row["cost_pico"] > 0


def test_a_provider_that_is_not_configured_is_no_candidate(start, fake):
    gateway = start(fake.url, config='[strategies.auto_model.tiers]\nstandard = ["openai:gpt-5.5"]\n')
    heads = by_anthropic(gateway.url)
    assert heads["x-underspend-model"].startswith("claude-")
    assert "no provider is configured" in heads["x-underspend-reason"]


def test_the_ledger_is_the_bill_with_routed_calls_and_refused_ones(start, fake):
    already = fake.bill().picodollars

    def script(view):
        refused = view.model == "claude-haiku-5-5" and b"REFUSED" in bytes(view.body)
        return Fault(status=400, message="effort: not supported by this model") if refused else None

    fake.script = script
    gateway = start(fake.url, config=AGGRESSIVE)
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as client:
        for text in ("first", "REFUSED second", "third", "REFUSED fourth"):
            messages = [{"role": "user", "content": text}]
            client.messages.create(model="claude-opus-5-5", max_tokens=50, messages=messages)
    rows = gateway.rows(wait_for=6)
    assert sum(row["cost_pico"] for row in rows) == fake.bill().picodollars - already
    assert [row["status"] for row in rows].count(400) >= 1
    assert all(row["attempt_of"] is None or row["model_sent"] == "claude-opus-5-5" for row in rows)
    saved = sum(row["without_us_pico"] - row["cost_pico"] for row in rows)
    assert saved > 0


def test_a_routed_call_whose_target_is_overloaded_falls_back_and_all_of_it_is_in_the_ledger(start, fake):
    already = fake.bill().picodollars
    fake.script = lambda view: Fault(status=529) if view.model == "claude-haiku-5-5" else None
    gateway = start(fake.url, config=AGGRESSIVE + '[fallbacks]\n"claude-haiku-5-5" = ["claude-sonnet-5-5"]\n')
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as client:
        client.messages.create(model="claude-opus-5-5", max_tokens=50, messages=HELLO)
    rows = gateway.rows(wait_for=2)
    assert [(row["model_sent"], row["status"]) for row in rows] == [
        ("claude-haiku-5-5", 529),
        ("claude-sonnet-5-5", 200),
    ]
    assert sum(row["cost_pico"] for row in rows) == fake.bill().picodollars - already


def feedback(gateway, call, score="good", path="/feedback", **headers):
    return gateway.post(path, {"call": call, "score": score}, headers)


def learned(home):
    with closing(sqlite3.connect(home / "ledger.sqlite3")) as connection:
        return dict(connection.execute("SELECT kind, count(*) FROM routing GROUP BY kind").fetchall())


def test_feedback_is_learned_once_and_outlives_the_gateway(start, fake, tmp_path):
    gateway = start(fake.url)
    call = by_anthropic(gateway.url)["x-underspend-call"]
    assert feedback(gateway, call)[0] == 200
    status, _, body = feedback(gateway, call, path="/_/feedback")
    assert (status, json.loads(body)["counted"]) == (200, False)
    assert feedback(gateway, "nobody")[0] == 404
    gateway.stop()
    assert learned(gateway.home)["lesson"] == 1
    again = start(fake.url, home=gateway.home)
    assert json.loads(feedback(again, call)[2])["counted"] is False


def test_feedback_needs_the_same_key_as_all_else(start, fake):
    gateway = start(fake.url, config='[gateway]\naccess_key = "open"\n')
    assert feedback(gateway, "nobody")[0] == 403
    assert feedback(gateway, "nobody", **{"x-underspend-key": "open"})[0] == 404


def test_a_slot_that_was_sent_elsewhere_stays_there_after_a_restart(start, fake):
    gateway = start(fake.url, config=AGGRESSIVE)
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    tools = [{"name": "look", "description": "look", "input_schema": {"type": "object"}}]
    fake.script = lambda view: Reply(content="Well.")
    body = {"model": "claude-opus-5-5", "max_tokens": 50, "messages": list(HELLO), "tools": tools}
    head = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    assert gateway.post("/v1/messages", body, head)[1]["x-underspend-model"] == "claude-haiku-5-5"
    gateway.stop()
    again = start(fake.url, home=gateway.home, config=AGGRESSIVE)
    body["messages"] += [
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "seen"}]},
    ]
    status, heads, _ = again.post("/v1/messages", body, head)
    assert (status, heads["x-underspend-model"]) == (200, "claude-haiku-5-5")
    assert heads["x-underspend-reason"] == "a turn keeps its model"


def test_a_dry_run_reaches_nobody(start, fake):
    gateway = start(fake.url)
    before = len(fake.requests)
    body = {"model": "auto", "max_tokens": 50, "messages": HELLO}
    status, _, answer = gateway.post("/v1/messages", body, {"X-Dry-Run": "true", "x-api-key": KEY})
    assert (status, json.loads(answer)["decision"]["model"]) == (200, "claude-sonnet-5-5")
    assert len(fake.requests) == before
    assert gateway.rows() == []

"""The path of a call with every port in memory."""

import asyncio
import json

import pytest
from doubles import Asked, Told, Upstream, body, daily, pipeline, standings
from replies import events, message

from targets import to
from underspend.core.budgets import Action
from underspend.core.edits import SetModel
from underspend.core.engine import Step
from underspend.core.strategy import State, Strategy
from underspend.gateway.acting import Acting
from underspend.gateway.routes import classify
from underspend.gateway.transport import ClientGoneError, UpstreamUnreachableError
from underspend.pricing.catalogue import catalogue
from underspend.strategies.model_rules import ModelRules, Rule

MESSAGES = classify("POST", "/v1/messages")
HELLO = [{"role": "user", "content": "hello"}]


def handle(made, asked=None, told=None):
    told = told or Told()
    asyncio.run(made.handle(asked or Asked(body()), told, MESSAGES))
    return told


def row(made):
    (only,) = made.books.ledger.calls.values()
    return only


def test_a_call_is_written_down_before_it_is_forwarded_and_billed_after():
    seen = []
    upstream = Upstream([message()])
    made = pipeline(upstream)

    async def send(*args):
        seen.append(dict(row(made)))
        return await Upstream.send(upstream, *args)

    upstream.send = send
    told = handle(made)
    assert seen[0]["state"] == "open"
    assert told.body == message()
    assert told.ended
    assert (row(made)["state"], row(made)["evidence"]) == ("settled", "billed")
    assert made.status.in_flight == 0


class Broken(Strategy):
    name = "broken"

    def decide(self, call, ctx):
        raise RuntimeError("strategy bug")


class Unlearned(Strategy):
    name = "unlearned"

    def decide(self, call, ctx):
        return ()

    def learn(self, call, reply, ctx):
        raise RuntimeError("learn bug")


class NoPrices:
    def estimate(self, call):
        raise KeyError("prices")

    def worst_case(self, call):
        raise KeyError("prices")


@pytest.mark.parametrize("broken", [Broken(), Unlearned()])
def test_a_strategy_that_raises_costs_nobody_a_call(broken):
    made = pipeline(Upstream([message()]), steps=[Step(broken, State.ON)])
    assert handle(made).status == 200
    assert "bug" in made.status.snapshot()["faults"][0]["message"]
    assert row(made)["evidence"] == "billed"


def test_a_price_list_that_raises_costs_nobody_a_call():
    steps = [Step(ModelRules(rules=(Rule("claude-opus-5-5", "claude-sonnet-5-5"),)), State.SHADOW)]
    made = pipeline(Upstream([message()]), steps=steps, forecast=NoPrices(), budgets=[daily(1, action=Action.WARN)])
    assert handle(made).status == 200
    assert made.status.snapshot()["faults"]


def test_a_price_list_that_raises_does_not_open_a_budget_that_blocks():
    upstream = Upstream([message()])
    made = pipeline(upstream, forecast=NoPrices(), budgets=[daily(1)])
    told = handle(made)
    assert (told.status, upstream.sent) == (402, [])
    assert "cannot be known" in json.loads(told.body)["error"]["message"]


def broken(*args, **options):
    raise RuntimeError("bug of ours")


@pytest.mark.parametrize(
    ("component", "breaks"),
    [
        ("reader", lambda made, patch: patch.setattr("underspend.formats.anthropic_request.read", broken)),
        ("identity", lambda made, patch: patch.setattr(made.asking.identifier, "identify", broken)),
        ("pricing", lambda made, patch: patch.setattr("underspend.gateway.books.cost", broken)),
        ("engine", lambda made, patch: patch.setattr("underspend.core.engine.run", broken)),
        ("meter", lambda made, patch: patch.setattr("underspend.formats.anthropic_reply.metered_message", broken)),
    ],
)
def test_each_part_may_fail_and_the_call_goes_through(component, breaks, monkeypatch):
    made = pipeline(Upstream([message()]))
    breaks(made, monkeypatch)
    told = handle(made)
    assert (told.status, told.body, told.ended) == (200, message(), True)
    assert made.status.snapshot()["faults"][0]["component"] == component
    assert row(made)["state"] == "settled"
    assert made.status.in_flight == 0


def test_a_disk_that_hangs_does_not_hold_up_calls(monkeypatch):
    monkeypatch.setattr("underspend.gateway.books._INTENT_SECONDS", 0.05)
    made = pipeline(Upstream([message()]))
    monkeypatch.setattr(made.books.ledger, "intend", lambda row: asyncio.get_running_loop().create_future())
    assert handle(made).status == 200
    assert "not durable" in made.status.snapshot()["faults"][0]["message"]


def test_a_strategy_in_shadow_decides_and_changes_nothing():
    steps = [Step(ModelRules(rules=(Rule("claude-opus-5-5", "claude-sonnet-5-5"),)), State.SHADOW)]
    upstream = Upstream([message()])
    made = pipeline(upstream, steps=steps)
    handle(made)
    assert upstream.sent[0][3] == body()
    (settlement,) = made.books.ledger.settlements.values()
    assert settlement.decisions[0]["applied"] is False
    assert settlement.decisions[0]["after_pico"] < settlement.decisions[0]["before_pico"]


def test_a_call_that_was_held_is_let_go_however_it_ends():
    for upstream in (
        Upstream([message()]),
        Upstream(events()[:3], content_type=b"text/event-stream", cut=True),
        Upstream([], error=UpstreamUnreachableError("gone")),
    ):
        made = pipeline(upstream, budgets=[daily(1000)])
        handle(made)
        assert standings(made)[0].held == 0 if standings(made) else upstream.error


def test_concurrent_calls_cannot_pass_a_blocking_budget_together():
    """Each call can cost 100 output tokens and its prompt: about $0.011. The budget has room for one."""
    upstream = Upstream([message()])
    made = pipeline(upstream, budgets=[daily("0.013")])
    told = [Told() for _ in range(5)]

    async def slow(*args):
        await asyncio.sleep(0.05)
        return await Upstream.send(upstream, *args)

    upstream.send = slow

    async def all_at_once():
        await asyncio.gather(*(made.handle(Asked(body()), each, MESSAGES) for each in told))

    asyncio.run(all_at_once())
    assert sorted(each.status for each in told) == [200, 402, 402, 402, 402]


def test_a_client_that_leaves_cancels_the_call_and_the_rest_is_estimated():
    upstream = Upstream(events(), content_type=b"text/event-stream")
    made = pipeline(upstream)
    told = Told()

    async def leave():
        task = asyncio.ensure_future(made.handle(Asked(body()), told, MESSAGES))
        told.write = lambda chunk: asyncio.sleep(60)
        await asyncio.sleep(0.05)
        told.client_gone = True
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    assert upstream.closed
    assert (row(made)["outcome"], row(made)["evidence"], row(made)["input_tokens"]) == ("aborted", "estimated", 100)


def test_a_gateway_told_to_stop_settles_what_it_cancels_as_interrupted():
    made = pipeline(Upstream(events(), content_type=b"text/event-stream"))
    told = Told()

    async def stop():
        told.write = lambda chunk: asyncio.sleep(60)
        task = asyncio.ensure_future(made.handle(Asked(body()), told, MESSAGES))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop())
    assert row(made)["outcome"] == "interrupted"


def test_a_client_that_leaves_while_its_body_is_sent_is_an_abort():
    made = pipeline(Upstream([], error=ClientGoneError()))
    with pytest.raises(ClientGoneError):
        handle(made)
    assert row(made)["outcome"] == "aborted"


def test_an_edit_that_fails_in_whatever_way_is_not_made(monkeypatch):
    def broken(*args):
        raise KeyError("no such place")

    monkeypatch.setattr("underspend.formats.anthropic_edits.edited", broken)
    upstream = Upstream([message()])
    steps = [Step(ModelRules(rules=(Rule("claude-opus-5-5", "claude-sonnet-5-5"),)), State.ON)]
    made = pipeline(upstream, steps=steps)
    assert handle(made).body == message()
    assert upstream.sent[0][3] == body()
    assert made.status.snapshot()["faults"][0]["component"] == "edit"


@pytest.mark.parametrize("part", ["anatomy", "conversation", "measured", "keep", "settle"])
def test_whatever_of_acting_fails_the_call_goes_through(part, monkeypatch):
    def broken(*args):
        raise RuntimeError(part)

    monkeypatch.setattr(Acting, part, broken)
    steps = (Step(ModelRules(rules=(Rule("claude-opus-5-5", "claude-sonnet-5-5"),)), State.ON),)
    acting = Acting(steps, catalogue())
    made = pipeline(Upstream([message()]), steps=steps, acting=acting)
    made.books.acting = acting
    told = handle(made)
    assert (told.status, told.body, told.ended) == (200, message(), True)
    assert made.status.snapshot()["faults"]
    assert row(made)["state"] == "settled"


def test_counting_tokens_is_no_part_of_a_conversation():
    steps = (Step(ModelRules(rules=(Rule("claude-opus-5-5", "claude-sonnet-5-5"),)), State.ON),)
    acting = Acting(steps, catalogue())
    upstream = Upstream([b'{"input_tokens":5}'])
    made = pipeline(upstream, steps=steps, acting=acting)
    made.books.acting = acting
    asyncio.run(made.handle(Asked(body()), Told(), classify("POST", "/v1/messages/count_tokens")))
    assert upstream.sent[0][3] == body()
    assert not acting._talks


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/embeddings"])
def test_no_path_slips_past_a_budget(path):
    upstream = Upstream([message()])
    made = pipeline(upstream, budgets=[daily("0.00001")], others=[to(upstream)])
    told = Told()
    said = {"chat": {"messages": HELLO}, "responses": {"input": "hello"}, "embeddings": {"input": "hello"}}
    kind = path.split("/")[2]
    for model in ("other/gpt-5.5", *(["claude-opus-5-5"] if kind != "embeddings" else [])):
        data = json.dumps({"model": model, **said[kind]}).encode()
        asyncio.run(made.handle(Asked(data, path=path.encode()), told, classify("POST", path)))
        assert told.status == 402
        error = json.loads(told.body)["error"]
        told.body = b""
        assert (error["type"], "budget" in error["message"], "param" in error) == ("insufficient_quota", True, True)
    assert not upstream.sent
    kinds = {(each["endpoint"], each["outcome"]) for each in made.books.ledger.calls.values()}
    assert kinds == {(kind, "refused")}


class Remembering(Strategy):
    name = "remembering"

    def decide(self, call, ctx):
        SLOTS.append(ctx.slot)
        yield SetModel("claude-haiku-5-5", why="cheaper")


SLOTS = []


def test_a_strategy_is_told_what_the_conversation_was_sent_to_before():
    SLOTS.clear()
    steps = (Step(Remembering(), State.ON),)
    made = pipeline(Upstream([message()]), steps=steps, acting=Acting(steps, catalogue()))
    for _ in range(2):
        handle(made, Asked(body(messages=HELLO)))
    asyncio.run(made.handle(Asked(body()), Told(), classify("POST", "/v1/messages/count_tokens")))
    first, second, counted = SLOTS
    assert (first, counted) == (None, None)
    assert (second.asked, second.model) == ("claude-opus-5-5", "claude-haiku-5-5")


def test_whatever_of_remembering_fails_the_call_goes_through(monkeypatch):
    monkeypatch.setattr(Acting, "sent", lambda *args: 1 / 0)
    made = pipeline(Upstream([message()]), acting=Acting((), catalogue()))
    assert handle(made).body == message()
    assert made.status.snapshot()["faults"]


def test_the_reply_leaves_before_the_books_are_closed():
    seen = []

    async def handled():
        made = pipeline(Upstream([message()]))
        told = Told()
        settle = made.books.ledger.settle
        made.books.ledger.settle = lambda settlement: seen.append("settled") or settle(settlement)
        ended = told.end

        async def end():
            await ended()
            asyncio.get_running_loop().call_soon(seen.append, "a turn of the loop")  # in which the transport writes

        told.end = end
        await made.handle(Asked(body()), told, MESSAGES)

    asyncio.run(handled())
    assert seen == ["a turn of the loop", "settled"]


def test_a_gateway_that_is_stopped_then_closes_the_books_all_the_same():
    async def handled():
        made = pipeline(Upstream([message()]))
        told = Told()
        ended = told.end

        async def end():
            await ended()
            asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)

        told.end = end
        await asyncio.gather(made.handle(Asked(body()), told, MESSAGES), return_exceptions=True)
        return made

    made = asyncio.run(handled())
    assert (row(made)["state"], row(made)["outcome"]) == ("settled", "ok")

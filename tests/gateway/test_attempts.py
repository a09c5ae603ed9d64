"""Fallback chains, with every port in memory."""

import asyncio
import json

import pytest
from doubles import NOW, Asked, FixedClock, Told, Upstream, body, daily, pipeline, standings
from replies import events, message

from targets import Limited, chat, chat_stream, to
from underspend.core.edits import SetModel
from underspend.core.engine import Step
from underspend.core.strategy import State, Strategy
from underspend.formats.openai_reply import metered_body
from underspend.gateway.acting import Acting
from underspend.gateway.routes import classify
from underspend.gateway.transport import UpstreamUnreachableError
from underspend.pricing.catalogue import catalogue
from underspend.pricing.cost import cost

MESSAGES = classify("POST", "/v1/messages")
KEY = [(b"x-api-key", b"sk-ant-api03-client")]
CHAIN = {"claude-opus-5-5": ["other/gpt-5.5"]}
STREAM = b"text/event-stream"


def handle(made, data=None, headers=KEY, route=MESSAGES):
    told = Told()
    asyncio.run(made.handle(Asked(data or body(), headers=list(headers)), told, route))
    return told


def rows(made):
    return list(made.books.ledger.calls.values())


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_who_cannot_serve_is_followed_by_the_next(status):
    first, second = Limited(status), Upstream([chat()])
    made = pipeline(first, others=[to(second)], fallbacks=CHAIN)
    told = handle(made)
    assert told.status == 200
    assert json.loads(told.body)["content"][0]["text"] == "Hello."
    assert (len(first.sent), len(second.sent)) == (1, 1), "each is asked once"
    assert dict(told.headers)[b"x-underspend-provider"] == b"other"
    assert dict(told.headers)[b"x-underspend-model"] == b"gpt-5.5"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_fault_of_the_request_is_answered_as_it_is(status):
    first, second = Limited(status), Upstream([chat()])
    told = handle(pipeline(first, others=[to(second)], fallbacks=CHAIN))
    assert told.status == status
    assert not second.sent


def test_who_cannot_be_reached_is_followed_by_the_next():
    first = Upstream([], error=UpstreamUnreachableError("silent for 5 s"))
    told = handle(pipeline(first, others=[to(Upstream([chat()]))], fallbacks=CHAIN))
    assert told.status == 200


def test_each_attempt_is_a_row_of_its_own_billed_as_what_it_cost():
    made = pipeline(Limited(529), others=[to(Upstream([chat()]))], fallbacks=CHAIN)
    handle(made)
    first, second = rows(made)
    assert (first.get("attempt_of"), second["attempt_of"]) == (None, first["id"])
    assert [row["state"] for row in (first, second)] == ["settled"] * 2
    assert [(row["status"], row["outcome"]) for row in (first, second)] == [(529, "error"), (200, "ok")]
    assert (first["cost_pico"], first["provider"], first["model_sent"]) == (0, "anthropic", "claude-opus-5-5")
    assert (second["provider"], second["model_sent"], second["model_asked"]) == (
        "openai",
        "gpt-5.5",
        "claude-opus-5-5",
    )
    assert second["input_tokens"] == 100
    settled = made.books.ledger.settlements[second["id"]]
    assert second["cost_pico"] == sum(line["amount_pico"] for line in settled.lines) > 0
    assert second["without_us_pico"] == second["cost_pico"], "a fallback is not a saving"
    assert made.status.in_flight == 0


def test_a_chain_goes_on_until_somebody_answers_and_the_client_gets_the_first_s_words_when_nobody_does():
    said = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down, you"}}'
    first = Limited(429, headers=[(b"retry-after", b"17")], body=said)
    chain = {"claude-opus-5-5": ["other/gpt-5.5", "third/gpt-5.5"]}
    others = [to(Limited(500)), to(Limited(503), "third")]
    made = pipeline(first, others=others, fallbacks=chain)
    told = handle(made)
    assert (told.status, told.body) == (429, said)
    assert dict(told.headers)[b"retry-after"] == b"17"
    assert told.ended
    assert [row["status"] for row in rows(made)] == [429, 500, 503]
    assert {row.get("attempt_of") for row in rows(made)[1:]} == {rows(made)[0]["id"]}


def test_an_answer_that_has_begun_is_never_followed_by_another():
    half = Upstream(events()[:4], content_type=STREAM, cut=True)
    second = Upstream([chat()])
    made = pipeline(half, others=[to(second)], fallbacks=CHAIN)
    told = handle(made, body(stream=True))
    assert (told.started, told.ended) == (True, False)
    assert not second.sent
    assert [row["outcome"] for row in rows(made)] == ["cut"]


def test_a_subscription_s_calls_go_nowhere_else():
    second = Upstream([chat()])
    told = handle(
        pipeline(Limited(529), others=[to(second)], fallbacks=CHAIN),
        headers=[(b"authorization", b"Bearer sk-ant-oat01-x"), (b"anthropic-beta", b"oauth-2025-04-20")],
    )
    assert told.status == 529
    assert not second.sent


def test_the_client_s_key_is_shown_to_its_own_provider_only():
    first, second = Limited(529), Upstream([chat()])
    handle(pipeline(first, others=[to(second)], fallbacks=CHAIN), headers=[*KEY, (b"cookie", b"c"), (b"x-other", b"o")])
    assert dict(first.sent[0][2])[b"x-api-key"] == b"sk-ant-api03-client"
    shown = dict(second.sent[0][2])
    assert shown[b"authorization"] == b"Bearer sk-ours"
    assert not {b"x-api-key", b"cookie", b"x-other"} & set(shown)


class Moving(FixedClock):
    def __init__(self):
        self.at = NOW

    def now(self):
        return self.at


def test_who_failed_too_often_is_left_alone_for_a_while_and_then_tried_again():
    clock, first, second = Moving(), Limited(500), Upstream([chat()])
    made = pipeline(first, others=[to(second)], fallbacks=CHAIN, clock=clock)
    for _ in range(4):
        assert handle(made).status == 200
    assert len(first.sent) == 3, "the fourth call does not wait for it"
    last = rows(made)[-1]
    assert (last["provider"], last.get("attempt_of")) == ("openai", None)
    assert "not asked" in last["notes"]
    clock.at += 30_000_000
    handle(made)
    assert len(first.sent) == 4


def test_retry_after_is_honoured():
    clock, second = Moving(), Upstream([chat()])
    first = Limited(429, headers=[(b"retry-after", b"60")])
    made = pipeline(first, others=[to(second)], fallbacks=CHAIN, clock=clock)
    for seconds, asked in ((0, 1), (59, 1), (1, 2)):
        clock.at += seconds * 1_000_000
        handle(made)
        assert len(first.sent) == asked


def test_a_limit_of_one_key_or_model_is_none_of_another():
    first, second = Limited(429, headers=[(b"retry-after", b"60")]), Upstream([chat()])
    made = pipeline(first, others=[to(second)], fallbacks={**CHAIN, "claude-haiku-5-5": ["other/gpt-5.5"]})
    handle(made)
    handle(made, headers=[(b"x-api-key", b"another")])
    handle(made, body(model="claude-haiku-5-5"))
    assert len(first.sent) == 3


def test_where_all_circuits_are_open_the_upstream_is_asked_and_answers_itself():
    made = pipeline(Limited(500), others=[to(Limited(500))], fallbacks=CHAIN)
    for _ in range(5):
        assert handle(made).status == 500
    assert rows(made)[-1]["status"] == 500


def test_without_a_chain_nothing_is_tried_and_no_circuit_stops_a_call():
    first = Limited(529)
    made = pipeline(first, others=[to(Upstream([chat()]))])
    for _ in range(5):
        assert handle(made).status == 529
    assert len(first.sent) == 5


def test_another_model_of_the_same_upstream_goes_under_the_client_s_key():
    class Busy(Upstream):
        async def send(self, method, target, headers, body):
            self.status = 529 if b"opus" in body else 200
            return await Upstream.send(self, method, target, headers, body)

    upstream = Busy([message()])
    told = handle(pipeline(upstream, fallbacks={"claude-opus-5-5": ["claude-haiku-5-5"]}))
    assert told.status == 200
    assert told.body == message()
    assert json.loads(upstream.sent[1][3])["model"] == "claude-haiku-5-5"
    assert dict(upstream.sent[1][2])[b"x-api-key"] == b"sk-ant-api03-client"


def test_a_stream_is_taken_over_as_a_stream():
    second = Upstream(chat_stream(), content_type=STREAM)
    made = pipeline(Limited(529), others=[to(second)], fallbacks=CHAIN)
    told = handle(made, body(stream=True))
    assert dict(told.headers)[b"content-type"].startswith(STREAM)
    assert told.body.startswith(b"event: message_start")
    assert told.body.rstrip().endswith(b'data: {"type":"message_stop"}')
    assert rows(made)[-1]["output_tokens"] == 10


def test_a_budget_holds_what_the_dearest_of_a_chain_would_cost():
    held = []

    class Watched(Upstream):
        async def send(self, *asked):
            held.append(standings(made)[0].held)
            return await Upstream.send(self, *asked)

    chain = {"claude-haiku-5-5": ["claude-opus-5-5"]}
    made = pipeline(Watched([message()]), fallbacks=chain, budgets=[daily(1000)])
    handle(made, body(model="claude-haiku-5-5"))
    haiku, opus = (
        made.forecast.worst_case(made.asking.read(Asked(b"", headers=KEY), MESSAGES, body(model=name)).call)
        for name in ("claude-haiku-5-5", "claude-opus-5-5")
    )
    assert held[0] > opus > haiku - 1  # its body is a byte longer
    assert held[0] - opus < opus // 100


def test_a_client_that_leaves_between_attempts_leaves_every_row_settled():
    class Gone(Upstream):
        async def send(self, *asked):
            raise asyncio.CancelledError

    made = pipeline(Limited(529), others=[to(Gone([]))], fallbacks=CHAIN, budgets=[daily(1000)])
    told = Told(client_gone=True)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(made.handle(Asked(body(), headers=list(KEY)), told, MESSAGES))
    assert [row["outcome"] for row in rows(made)] == ["error", "aborted"]
    assert standings(made)[0].held == 0
    assert made.attempts.circuits.open_now() == []


def test_what_a_target_cannot_be_asked_is_the_next_one_s_to_answer():
    chain = {"claude-opus-5-5": ["other/gpt-5.5", "third/claude-opus-5-5"]}
    last = Upstream([b'{"input_tokens":7}'])
    made = pipeline(
        Limited(529), others=[to(Upstream([chat()])), to(last, "third", dialect="anthropic")], fallbacks=chain
    )
    told = handle(made, route=classify("POST", "/v1/messages/count_tokens"))
    assert (told.status, told.body) == (200, b'{"input_tokens":7}')
    assert [row["outcome"] for row in rows(made)] == ["error", "refused", "ok"]


def test_costs_are_the_provider_s():
    made = pipeline(Limited(529), others=[to(Upstream([chat()]))], fallbacks=CHAIN)
    handle(made)
    truth = cost(metered_body(json.loads(chat()), provider="openai"), at=NOW)
    assert rows(made)[-1]["cost_pico"] == truth.total


class Elsewhere(Strategy):
    name = "elsewhere"

    def decide(self, call, ctx):
        yield SetModel("gpt-5.5", why="it is cheaper there", provider="openai")


def routed(upstream, others, path="/v1/messages", data=None, **options):
    steps = (Step(Elsewhere(), State.ON),)
    made = pipeline(upstream, others=others, steps=steps, acting=Acting(steps, catalogue()), **options)
    told = Told()
    data = data or body(messages=[{"role": "user", "content": "hello " * 500}])
    asyncio.run(made.handle(Asked(data, headers=list(KEY), path=path.encode()), told, classify("POST", path)))
    return made, told


def test_a_strategy_may_send_a_call_to_another_provider():
    home, there = Upstream([message()]), Upstream([chat()])
    made, told = routed(home, [to(there)])
    assert json.loads(told.body)["content"][0]["text"] == "Hello."
    assert not home.sent
    (row,) = rows(made)
    assert (row["provider"], row["model_asked"], row["model_sent"]) == ("openai", "claude-opus-5-5", "gpt-5.5")
    assert dict(told.headers)[b"x-underspend-model"] == b"gpt-5.5"
    assert row["without_us_pico"] != row["cost_pico"], "what it would have cost where it was meant to go"
    (effect,) = made.books.ledger.settlements[row["id"]].effects
    assert effect["saved_pico"] == row["without_us_pico"] - row["cost_pico"]
    assert made.status.snapshot()["faults"] == []


def test_a_call_of_openai_s_dialect_that_is_sent_there_is_its_own_bytes_again():
    there = Upstream([chat()])
    raw = b'{"model":"claude-opus-5-5","messages":[{"role":"user","content":"hello"}], "x": 1.0}'
    _, told = routed(Upstream([]), [to(there)], path="/v1/chat/completions", data=raw)
    assert there.sent[0][3] == raw.replace(b"claude-opus-5-5", b"gpt-5.5")
    assert told.body == chat()


def test_a_provider_that_is_not_configured_leaves_the_call_as_it_was():
    home = Upstream([message()])
    made, told = routed(home, [])
    assert told.body == message()
    assert json.loads(home.sent[0][3])["model"] == "claude-opus-5-5"
    assert "no provider is configured for openai" in made.status.snapshot()["faults"][0]["message"]

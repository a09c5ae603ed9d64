"""Calls that the router takes to another provider."""

from doubles import Upstream
from replies import message
from routed import ASK, SONNET, ask, fields, routed, rows, said

from targets import chat, to
from underspend.core.edits import SetMaxOutput
from underspend.core.engine import Step
from underspend.core.strategy import State, Strategy
from underspend.gateway.routes import classify
from underspend.routing.decisions import Mode
from underspend.strategies.auto_model import AutoModel


class ModelLimit(Strategy):
    name = "limit"

    def decide(self, call, ctx):
        yield SetMaxOutput(77, "why")


def test_another_providers_model_may_be_chosen_and_its_world_is_billed():
    there = Upstream([chat()])
    strategy = AutoModel(tiers={"standard": ("openai:gpt-5.5",)}, mode=Mode.OBSERVE)
    made = routed(Upstream([message()]), strategy, others=(to(there, "openai"),))
    told = ask(made, said())
    assert told.status == 200
    assert fields(told)["x-underspend-model"] == "gpt-5.5"
    (row,) = rows(made)
    assert (row["provider"], row["model_sent"]) == ("openai", "gpt-5.5")
    assert row["cost_pico"] > 0
    assert not made.status.snapshot()["faults"]


def test_a_session_with_safety_checks_of_its_own_is_not_taken_to_another_dialect():
    there = Upstream([chat()])
    strategy = AutoModel(tiers={"standard": ("openai:gpt-5.5", SONNET)})
    made = routed(Upstream([message()]), strategy, others=(to(there, "openai"),))
    told = ask(made, said(safeguards={"type": "auto"}))
    assert "safeguards" in fields(told)["x-underspend-reason"]
    assert there.sent == []


def test_what_strategies_did_is_said_to_be_lost_where_the_clients_own_words_go_on():
    there = Upstream([chat()])
    strategy = AutoModel(tiers={"standard": ("openai:gpt-5.5",)})
    cap = Step(ModelLimit(), State.ON)
    made = routed(Upstream([message()]), strategy, others=(to(there, "openai"),), steps=(cap,))
    body = {"model": "auto", "messages": [{"role": "user", "content": ASK}]}
    assert ask(made, body, route=classify("POST", "/v1/chat/completions")).status == 200
    (row,) = rows(made)
    assert "what limit changed" in row["notes"]

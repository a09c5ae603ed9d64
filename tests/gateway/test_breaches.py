import asyncio
import json
from types import SimpleNamespace

import pytest
from doubles import NOW, Told

from underspend.core.call import Call, Identity, Role
from underspend.core.plan import Plan
from underspend.gateway.breaches import Answering, OverBudgetError
from underspend.gateway.holding import Breach


def answered(how="auto", *, dialect="anthropic", endpoint="messages", role=Role.MAIN, stream=False, chat=None):
    call = Call(
        id="c1", time=NOW, provider="p", endpoint="messages", model="m", stream=stream, identity=Identity(role=role)
    )
    asked = SimpleNamespace(call=call, dialect=dialect, endpoint=endpoint, named="claude", chat=chat)
    told = Told()
    refused = Breach(Plan(asked=call, call=call), "day", "no room")
    status = asyncio.run(Answering(how).answer(told, asked, refused, NOW))
    assert (told.status, told.ended, dict(told.headers)[b"x-underspend-budget"]) == (status, True, b"day")
    return told


def test_claude_codes_main_loop_gets_a_final_message_in_the_form_it_asked_for():
    plain = json.loads(answered().body)
    assert (plain["stop_reason"], plain["content"][0]["text"], plain["model"]) == ("end_turn", "no room", "claude")
    stream = answered(stream=True)
    assert dict(stream.headers)[b"content-type"].startswith(b"text/event-stream")
    assert stream.body.endswith(b'data: {"type":"message_stop"}\n\n')


@pytest.mark.parametrize("role", [Role.SUBAGENT, Role.UNKNOWN, Role.SIDE, Role.COMPACTION])
def test_others_get_an_error_that_is_not_tried_again(role):
    told = answered(role=role)
    assert (told.status, dict(told.headers)[b"x-should-retry"]) == (402, b"false")
    assert json.loads(told.body)["error"]["type"] == "billing_error"


def test_either_can_be_asked_for():
    assert answered("error").status == 402
    assert answered("message", role=Role.UNKNOWN).status == 200
    assert answered("message", role=Role.SIDE).status == 402


def test_openai_clients_get_their_own_forms():
    chat = {"dialect": "openai", "endpoint": "chat", "role": Role.UNKNOWN}
    assert json.loads(answered(**chat).body)["error"]["code"] == "budget_exceeded"
    wants = SimpleNamespace(wants_usage=True)
    stream = answered("message", stream=True, chat=wants, **chat)
    assert b'"usage":{"prompt_tokens":0' in stream.body
    assert stream.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(("dialect", "endpoint"), [("responses", "responses"), ("openai", "embeddings")])
def test_what_has_no_message_gets_the_error(dialect, endpoint):
    assert answered("message", dialect=dialect, endpoint=endpoint).status == 402


def test_the_error_of_an_attempt_says_why():
    refused = Breach(None, "day", "no room")
    assert str(OverBudgetError(refused, None, None)) == "no room"

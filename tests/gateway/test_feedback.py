"""The user's own word on a call."""

import asyncio
import json

import pytest
from doubles import Asked, Told, Upstream
from replies import message
from routed import HAIKU, OPUS, SONNET, ask, fields, routed, said

from underspend.gateway.feedback import Feedback, score_of
from underspend.stores.database import open_database
from underspend.stores.schema import calls


def judge(feedback, body):
    told = Told()
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    asyncio.run(feedback.handle(Asked(raw, path=b"/feedback"), told))
    return told.status, json.loads(told.body)


@pytest.fixture
def made():
    pipeline = routed(Upstream([message(model=SONNET)]))
    learned = []
    pipeline.router.learning.learn = learned.append
    return pipeline


def test_a_call_is_judged_once(made):
    call = fields(ask(made, said()))["x-underspend-call"]
    feedback = Feedback(made.router)
    assert judge(feedback, {"call": call, "score": "good", "comment": "thanks"}) == (
        200,
        {"call": call, "counted": True},
    )
    assert judge(feedback, {"call": call, "score": "good"}) == (200, {"call": call, "counted": False})
    (result,) = made.router.learning.learn.__self__
    assert (result.task, result.arm.model, result.quality, result.weight) == ("short-question", SONNET, 1.0, 1.0)
    assert result.cost > 0


def test_an_unknown_call_is_not_found(made):
    assert judge(Feedback(made.router), {"call": "nobody", "score": 1})[0] == 404


@pytest.mark.parametrize(
    "body", [b"no", b"[]", {"call": "c"}, {"score": 1}, {"call": "c", "score": 2}, {"call": 3, "score": 1}]
)
def test_what_is_no_feedback_is_refused_in_words(made, body):
    status, answer = judge(Feedback(made.router), body)
    assert status == 400
    assert "from 0 to 1" in answer["error"]["message"]


def test_a_call_of_an_earlier_gateway_is_known_to_the_ledger(made, tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/ledger.sqlite3")
    row = {"id": "old", "started_at": 5, "state": "settled", "endpoint": "messages", "provider": "anthropic"}
    more = {"upstream": "u", "model_asked": OPUS, "model_sent": HAIKU, "role": "subagent", "agent_type": "explore"}
    with engine.begin() as connection:
        connection.execute(calls.insert().values(**row, **more, cost_pico=7))
    assert judge(Feedback(made.router, engine), {"call": "old", "score": 0.25})[0] == 200
    engine.dispose()
    (result,) = made.router.learning.learn.__self__
    assert (result.task, result.arm.model, result.quality, result.cost) == ("sub-agent/explore", HAIKU, 0.25, 7)


@pytest.mark.parametrize(
    ("said", "score"),
    [("good", 1.0), ("BAD", 0.0), (0, 0.0), (1, 1.0), (0.4, 0.4), (True, None), ("fine", None), (-1, None)],
)
def test_scores_in_words_and_numbers(said, score):
    assert score_of(said) == score

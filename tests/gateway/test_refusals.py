import asyncio
import json

from doubles import Told

from underspend.core.edits import RefusalKind, Refuse
from underspend.gateway import refusals


def told(answer):
    made = Told()
    asyncio.run(answer(made))
    assert dict(made.headers)[b"content-length"] == str(len(made.body)).encode()
    assert made.ended
    return made, json.loads(made.body)["error"], dict(made.headers)[b"x-should-retry"]


def test_a_budget_is_not_tried_again():
    made, error, retry = told(lambda to: refusals.refuse(to, Refuse(RefusalKind.BUDGET, "spent")))
    assert (made.status, error["type"], retry) == (402, "billing_error", b"false")
    assert error["message"] == "underspend: spent"


def test_a_large_body_is_not_tried_again():
    made, error, retry = told(lambda to: refusals.too_large(to, 3 * 1024 * 1024))
    assert (made.status, error["type"], retry) == (413, "request_too_large", b"false")
    assert "3 MB" in error["message"]


def test_an_upstream_that_is_away_may_be_tried_again():
    made, _, retry = told(lambda to: refusals.unreachable(to, "refused"))
    assert (made.status, retry) == (502, b"true")


def test_each_dialect_has_its_own_form_of_error():
    for dialect in ("openai", "responses"):
        made, error, _ = told(lambda to, dialect=dialect: refusals.unreachable(to, "refused", dialect=dialect))
        assert json.loads(made.body) == {"error": {**error, "type": "api_error", "param": None, "code": None}}
    made, _, _ = told(lambda to: refusals.unreachable(to, "refused"))
    assert json.loads(made.body)["type"] == "error"


def test_what_nobody_can_be_asked_is_not_tried_again():
    kinds = {400: "invalid_request_error", 404: "not_found_error"}
    for status, kind in kinds.items():
        made, error, retry = told(lambda to, status=status: refusals.not_carried(to, status, "no", dialect="openai"))
        assert (made.status, error["type"], retry) == (status, kind, b"false")

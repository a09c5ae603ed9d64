import json

import pytest

from underspend.formats.meter import meter
from underspend.testing.fake_upstream.foreign import BadRequestError, ToolCall, Turn
from underspend.testing.fake_upstream.responses_format import RESPONSES

PATH = "/v1/responses"
USER = {"role": "user", "content": "hello"}
CALLED = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
TOLD = {"type": "function_call_output", "call_id": "c1", "output": "x"}
TURN = Turn(text="Hello there, you.", calls=[ToolCall("f", {"a": 1})], prompt=90, cached=40, output=9, thinking=3)


def asked(given, **more):
    return {"model": "m", "input": given, **more}


@pytest.mark.parametrize("given", ["hello", [USER], [USER, CALLED, TOLD]])
def test_what_is_right_is_taken(given):
    RESPONSES.check(PATH, asked(given))


@pytest.mark.parametrize(
    "body",
    [
        {"input": "x"},
        {"model": "m"},
        asked([USER], messages=[]),
        asked([USER], max_tokens=5),
        asked([{"role": "tool", "content": "x"}]),
        asked([USER, TOLD]),
        asked("x", tools=[{"type": "function", "function": {"name": "f"}}]),
    ],
)
def test_what_the_provider_refuses_is_refused(body):
    with pytest.raises(BadRequestError):
        RESPONSES.check(PATH, body)


def test_calls_side_by_side_are_one_round():
    other = {**CALLED, "call_id": "c2"}
    assert RESPONSES.rounds(asked([USER, CALLED, other, TOLD, {**TOLD, "call_id": "c2"}])) == 1
    assert RESPONSES.rounds(asked([USER, CALLED, TOLD, other, TOLD])) == 2
    assert RESPONSES.rounds(asked("hello")) == 0


def test_whole_and_streamed_replies_bill_the_same():
    whole = meter(json.dumps(RESPONSES.whole(TURN, "1", "m", {})).encode())
    streamed = meter(b"".join(RESPONSES.events(TURN, "1", "m", {})))
    assert whole.usage == streamed.usage
    assert (whole.usage.input, whole.usage.cache_read, whole.usage.output) == (50, 40, 9)


def test_a_reply_that_ran_into_its_limit_says_so():
    events = RESPONSES.events(Turn(text="x", length=True), "1", "m", {})
    assert events[-1].startswith(b"event: response.incomplete")

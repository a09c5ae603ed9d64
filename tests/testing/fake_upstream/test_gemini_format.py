import json

import pytest

from underspend.formats.meter import meter
from underspend.testing.fake_upstream.foreign import BadRequestError, ToolCall, Turn
from underspend.testing.fake_upstream.gemini_format import GEMINI

PATH = "/v1beta/models/gemini-x:generateContent"
USER = {"role": "user", "parts": [{"text": "hello"}]}
CALLED = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
TOLD = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}
TURN = Turn(text="Hello there, you.", calls=[ToolCall("f", {"a": 1})], prompt=90, cached=40, output=9, thinking=3)


@pytest.mark.parametrize("contents", [[USER], [USER, CALLED, TOLD]])
def test_what_is_right_is_taken(contents):
    GEMINI.check(PATH, {"contents": contents})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/x:generateContent", {"contents": [USER]}),
        (PATH, {"contents": []}),
        (PATH, {"contents": [USER], "messages": []}),
        (PATH, {"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}),
        (PATH, {"contents": [{"role": "user", "parts": []}]}),
        (PATH, {"contents": [USER, CALLED, USER]}),
        (PATH, {"contents": [USER, TOLD]}),
        (PATH, {"contents": [USER], "tools": [{"functionDeclarations": [{}]}]}),
    ],
)
def test_what_the_provider_refuses_is_refused(path, body):
    with pytest.raises(BadRequestError):
        GEMINI.check(path, body)


def test_rounds_and_streams_are_read_from_the_request():
    assert GEMINI.rounds({"contents": [USER, CALLED, TOLD, CALLED, TOLD]}) == 2
    assert GEMINI.rounds({"contents": [USER, CALLED, TOLD, USER]}) == 0
    assert GEMINI.streams("/v1beta/models/x:streamGenerateContent?alt=sse", {})
    assert GEMINI.model(PATH, {}) == "gemini-x"


def test_whole_and_streamed_replies_bill_the_same():
    whole = meter(json.dumps(GEMINI.whole(TURN, "1", "m", {})).encode())
    streamed = meter(b"".join(GEMINI.events(TURN, "1", "m", {})))
    assert whole.usage == streamed.usage
    assert (whole.usage.input, whole.usage.cache_read, whole.usage.output) == (50, 40, 12)


@pytest.mark.parametrize(("status", "said"), [(429, "RESOURCE_EXHAUSTED"), (418, "INTERNAL")])
def test_errors_are_google_s(status, said):
    assert GEMINI.error(status, "no")["error"] == {"code": status, "message": "no", "status": said}

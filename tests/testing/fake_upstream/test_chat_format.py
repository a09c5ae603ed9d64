import json

import pytest

from underspend.formats.meter import meter
from underspend.testing.fake_upstream.chat_format import CHAT
from underspend.testing.fake_upstream.foreign import BadRequestError, ToolCall, Turn

PATH = "/v1/chat/completions"
USER = {"role": "user", "content": "hello"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
TOLD = {"role": "tool", "tool_call_id": "c1", "content": "x"}
TURN = Turn(
    text="Hello there, you.", calls=[ToolCall("f", {"a": "b" * 30})], prompt=90, cached=40, output=9, thinking=3
)


def asked(*messages, **more):
    return {"model": "m", "messages": list(messages) or [USER], **more}


@pytest.mark.parametrize(
    "body",
    [
        asked(),
        asked(USER, CALLED, TOLD),
        asked(tools=[{"type": "function", "function": {"name": "f"}}], tool_choice="auto"),
        asked(stream=True, stream_options={"include_usage": True}),
    ],
)
def test_what_is_right_is_taken(body):
    CHAT.check(PATH, body)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [USER]},
        {"model": "m", "messages": []},
        asked({"role": "robot", "content": "x"}),
        asked(USER, CALLED),
        asked(USER, CALLED, USER),
        asked(USER, TOLD),
        asked({"role": "user", "content": [{"type": "tool_result"}]}),
        asked({"role": "user"}),
        asked(system="x"),
        asked(tool_choice="auto"),
        asked(tools=[{"name": "f", "input_schema": {}}]),
        asked(stream_options={"include_usage": True}),
    ],
)
def test_what_the_provider_refuses_is_refused(body):
    with pytest.raises(BadRequestError):
        CHAT.check(PATH, body)


def test_an_unknown_path_is_refused():
    with pytest.raises(BadRequestError):
        CHAT.check("/v1/messages", asked())


def test_rounds_are_those_since_the_user_s_last_words():
    assert CHAT.rounds(asked(USER, CALLED, TOLD, USER)) == 0
    assert CHAT.rounds(asked(USER, CALLED, TOLD, CALLED, TOLD)) == 2


def test_whole_and_streamed_replies_bill_the_same():
    body = asked(stream=True, stream_options={"include_usage": True})
    whole = meter(json.dumps(CHAT.whole(TURN, "1", "m", body)).encode())
    streamed = meter(b"".join(CHAT.events(TURN, "1", "m", body)))
    assert (whole.usage, whole.thinking_tokens) == (streamed.usage, streamed.thinking_tokens)
    assert (whole.usage.input, whole.usage.cache_read, whole.usage.output) == (50, 40, 9)


def test_usage_is_streamed_only_when_asked_for():
    assert b'"prompt_tokens"' not in b"".join(CHAT.events(TURN, "1", "m", asked(stream=True)))

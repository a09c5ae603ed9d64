import http.client
import json
import urllib.error
import urllib.request

import pytest

from underspend.testing.fake_upstream import Fault
from underspend.testing.fake_upstream.chat_format import CHAT
from underspend.testing.fake_upstream.foreign import (
    BadRequestError,
    ToolCall,
    Turn,
    demand,
    event,
    foreign_in_thread,
    in_order,
    pieces,
    rounds_of,
)

HELLO = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hello"}]}


def post(up, body, path="/v1/chat/completions"):
    request = urllib.request.Request(up.url + path, json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, dict(reply.headers), reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_it_answers_by_its_script_and_keeps_what_it_heard():
    with foreign_in_thread(CHAT, in_order(Turn(text="one"), Fault(status=429, retry_after=3), Turn(text="two"))) as up:
        said = [post(up, HELLO) for _ in range(4)]
        assert [status for status, _, _ in said] == [200, 429, 200, 200]
        assert said[1][1]["retry-after"] == "3"
        assert json.loads(said[3][2])["choices"][0]["message"]["content"] == "two"
        assert [heard.body for heard in up.requests] == [HELLO] * 4


def test_what_the_provider_would_refuse_is_refused_and_kept_apart():
    with foreign_in_thread(CHAT) as up:
        status, _, said = post(up, {**HELLO, "system": "x"})
        assert (status, json.loads(said)["error"]["type"]) == (400, "invalid_request_error")
        assert (up.requests, len(up.refused)) == ([], 1)


def test_a_stream_may_be_cut():
    script = in_order(Turn(text="a long reply in pieces", cut_after=2))
    with foreign_in_thread(CHAT, script) as up, pytest.raises(http.client.IncompleteRead):
        post(up, {**HELLO, "stream": True})


def test_rounds_follow_the_conversation():
    script = rounds_of(ToolCall("a", {}), [ToolCall("b", {}), ToolCall("c", {})], final="end")

    class Heard:
        rounds = 0

    said = []
    for Heard.rounds in (0, 1, 2, 0):
        turn = script(Heard)
        said.append([call.name for call in turn.calls] or turn.text)
    assert said == [["a"], ["b", "c"], "end", ["a"]]


def test_small_parts():
    assert event("[DONE]") == b"data: [DONE]\n\n"
    assert event({"a": 1}, "x") == b'event: x\ndata: {"a":1}\n\n'
    assert pieces("abcde", 2) == ["ab", "cd", "e"]
    demand(True, "no")
    with pytest.raises(BadRequestError, match="no"):
        demand([], "no")

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underspend.formats import reply_key
from underspend.formats.usual_request import usual

MARK = {"cache_control": {"type": "ephemeral"}}
LONG = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
WORDS = st.text(max_size=12)
MARKS = st.sampled_from([{}, {}, MARK, LONG])


def shuffled(parts):
    return st.permutations(list(parts.items())).map(dict)


def block(kind, **parts):
    return st.builds(lambda made, mark: {"type": kind, **made, **mark}, st.fixed_dictionaries(parts), MARKS)


TEXT = block("text", text=WORDS).flatmap(shuffled)
CONTENT = WORDS | st.lists(TEXT, max_size=3)
INPUT = st.dictionaries(WORDS, st.integers() | WORDS | st.floats(0, 9) | st.lists(WORDS, max_size=2), max_size=3)
USE = block("tool_use", id=WORDS, name=WORDS, input=INPUT).flatmap(shuffled)
RESULT = block("tool_result", tool_use_id=WORDS, content=CONTENT).flatmap(shuffled)
FAILED = block("tool_result", tool_use_id=WORDS, is_error=st.booleans())
THINKING = block("thinking", thinking=WORDS, signature=WORDS)
OTHER = block("image", source=st.just({"type": "base64", "data": "x"}))
MESSAGE = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant"]),
    WORDS | st.lists(TEXT | USE | RESULT | FAILED | THINKING, max_size=3),
)
FIELDS = {
    "model": WORDS,
    "max_tokens": st.integers(0, 99),
    "temperature": st.sampled_from([0, 1, 0.5, 1.0]),
    "metadata": st.just({"user_id": "u"}),
    "tools": st.just([{"name": "t", "input_schema": {"type": "object", "b": 1, "a": 2}}]),
    "stream": st.booleans(),
    "system": CONTENT,
    "mcp_servers": st.just([{"url": "x"}]),
    "stop_sequences": st.just(["</severity>"]),
}
REQUEST = st.builds(
    lambda fields, messages: {**fields, "messages": messages},
    st.fixed_dictionaries({}, optional=FIELDS),
    st.lists(MESSAGE, min_size=2, max_size=4),
).flatmap(shuffled)


def compact(body):
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def question(raw, *, fast=True):
    """The call as the response cache sees it, with or without the shorter way."""
    before = reply_key.usual
    reply_key.usual = before if fast else (lambda _: None)
    try:
        return reply_key._question(raw, "anthropic", "/v1/messages", b"around")
    finally:
        reply_key.usual = before


@settings(max_examples=300, deadline=None)
@given(REQUEST)
def test_the_shorter_way_and_the_other_lead_to_the_same(body):
    raw = compact(body)
    assert question(raw) == question(raw, fast=False)


@settings(max_examples=100, deadline=None)
@given(REQUEST)
def test_notation_does_not_count_whichever_way_it_leads(body):
    raw = compact(body)
    for same in (json.dumps(body, ensure_ascii=False).encode(), json.dumps(body, separators=(",", ":")).encode()):
        assert question(same) == question(raw)


@settings(max_examples=100, deadline=None)
@given(REQUEST, st.data())
def test_a_key_that_stands_twice_is_never_read_over(body, data):
    raw = compact(body)
    at = data.draw(st.sampled_from([n for n, letter in enumerate(raw) if letter == ord("{")]))
    try:
        twice = raw[: at + 1] + b'"type":"text","type":"text",' + raw[at + 1 :]
        json.loads(twice)
    except ValueError:
        return
    assert question(twice) == question(twice, fast=False)


TALK = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


def test_what_is_usual_is_read_and_the_rest_left():
    assert usual(compact({"model": "m", "messages": TALK})) == {
        "model": "m",
        "messages": msgspec.Raw(
            b'[{"content":[{"type":"text","text":"a"}],"role":"user"},'
            b'{"content":[{"type":"text","text":"b"}],"role":"assistant"}]'
        ),
    }


@pytest.mark.parametrize(
    "raw",
    [
        compact({"model": "m", "messages": TALK[:1]}),
        compact({"model": "m", "messages": TALK, "strange": 1}),
        compact({"model": "m", "messages": [*TALK, {"role": "user", "content": "x", "name": "y"}]}),
        compact({"model": "m", "messages": [*TALK, {"role": "user", "content": [{"type": "image"}]}]}),
        compact({"model": "m", "messages": TALK, "system": [{"type": "text", "text": "s", "citations": None}]}),
        compact({"messages": [*TALK, {"role": "user", "content": [{"type": "text", "text": "x", **MARK, "z": 1}]}]}),
        compact(
            {
                "messages": [
                    *TALK,
                    {"role": "user", "content": [{"type": "text", "text": "", "cache_control": {"a": 1}}]},
                ]
            }
        ),
        b'{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}],"model":"m","model":"n"}',
        b'{"messages":[{"role":"user","content":"a"},{"role":"user","role":"user","content":"b"}]}',
        b'{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}],"metadata":{"a":1,"a":2}}',
        b'{"messages":[{"role":"user","content":"a"}, {"role":"user","content":"b"}]}',
        b'{"messages":[{"role":"user","content":"a"},{"role":"user","content":"\\u0062"}]}',
        b'{"messages":[{"role":"user","content":"a"},{"role":"user","content":"\\/"}]}',
        b'{"messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":{"a":1,"a":2}}]}]}',
        b"[]",
        b"{",
        b"",
    ],
)
def test_what_is_not_usual_is_left_to_the_other_way(raw):
    assert usual(raw) is None
    assert question(raw) == question(raw, fast=False)

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.formats.chat_request import read, with_stream_usage, without

OPTIONS = frozenset({"stream_options"})


@pytest.mark.parametrize(
    ("body", "limit", "effort", "wants"),
    [
        ({"model": "m", "max_tokens": 5}, 5, None, False),
        ({"model": "m", "max_completion_tokens": 7, "reasoning_effort": "low"}, 7, "low", False),
        ({"model": "m", "max_output_tokens": 9, "reasoning": {"effort": "high"}}, 9, "high", False),
        ({"model": "m", "stream": True, "stream_options": {"include_usage": True}}, 0, None, True),
        ({"model": "m", "max_tokens": "many", "stream_options": [], "reasoning": 3}, 0, None, False),
    ],
)
def test_what_a_request_says(body, limit, effort, wants):
    found = read(json.dumps(body).encode())
    assert (found.model, found.max_output, found.effort, found.wants_usage) == ("m", limit, effort, wants)
    assert found.stream is (body.get("stream") is True)


@pytest.mark.parametrize("raw", [b"", b"[]", b"nonsense", b"\xff", b"[" * 10_000])
def test_what_is_no_request(raw):
    assert read(raw) is None


@given(st.dictionaries(st.text(max_size=6), st.none() | st.integers() | st.text() | st.lists(st.booleans())))
def test_asking_for_the_usage_changes_nothing_else(body):
    raw = json.dumps(body, indent=1).encode()
    made = json.loads(with_stream_usage(raw))
    assert made["stream_options"]["include_usage"] is True
    assert {name: value for name, value in made.items() if name != "stream_options"} == {
        name: value for name, value in body.items() if name != "stream_options"
    }
    assert json.loads(without(with_stream_usage(raw), OPTIONS)) == {
        name: value for name, value in body.items() if name != "stream_options"
    }


def test_bytes_stay_as_they_were_written():
    raw = b'{ "model":"m" , "x": 1.0}'
    assert with_stream_usage(raw) == b'{"stream_options":{"include_usage":true}, "model":"m" , "x": 1.0}'
    assert without(raw, OPTIONS) is raw


def test_other_options_are_kept():
    raw = b'{"stream_options":{"include_obfuscation":false,"include_usage":false}}'
    assert json.loads(with_stream_usage(raw))["stream_options"] == {"include_obfuscation": False, "include_usage": True}


def test_a_key_said_twice_is_refused():
    with pytest.raises(ValueError):
        with_stream_usage(b'{"a":1,"a":2}')


@pytest.mark.parametrize(
    ("said", "user"),
    [({"user": "ada"}, "ada"), ({"safety_identifier": "s", "user": "ada"}, "s"), ({"user": 7}, None), ({}, None)],
)
def test_the_user_is_whom_the_request_names(said, user):
    assert read(json.dumps({"model": "m", **said}).encode()).user == user

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.formats.anthropic_request import parse_user_id, read, with_model

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEYS = TEXT | st.sampled_from(["model", "models", "messages", 'mo"del', "a\\", "tools"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
SPACE = st.text(" \n\r\t", max_size=3)
BODIES = st.dictionaries(KEYS, VALUES, max_size=5)


@st.composite
def spelled(draw: st.DrawFn) -> tuple[bytes, int, int]:
    """A body around a top-level model, spelled any legal way, and where the model's value stands."""
    members = [pair for pair in draw(BODIES).items() if pair[0] != "model"]
    members.insert(draw(st.integers(0, len(members))), ("model", draw(TEXT)))
    out, span = draw(SPACE) + "{", (0, 0)
    for index, (name, value) in enumerate(members):
        key = '"mod\\u0065l"' if name == "model" and draw(st.booleans()) else _json(draw, name)
        out += ("," if index else "") + draw(SPACE) + key + draw(SPACE) + ":" + draw(SPACE)
        begin = len(out.encode())
        out += _json(draw, value)
        span = (begin, len(out.encode())) if name == "model" else span
        out += draw(SPACE)
    return (out + "}" + draw(SPACE)).encode(), *span


def _json(draw: st.DrawFn, value: Any) -> str:
    compact = draw(st.booleans())
    return json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        separators=(",", ":") if compact else None,
        indent=None if compact else 1,
    )


@given(spelled(), TEXT)
def test_only_the_bytes_of_the_top_level_model_change(body: tuple[bytes, int, int], model: str) -> None:
    raw, begin, end = body
    assert with_model(raw, model) == raw[:begin] + msgspec.json.encode(model) + raw[end:]


@given(spelled())
def test_a_model_put_back_restores_the_meaning(body: tuple[bytes, int, int]) -> None:
    raw = body[0]
    before = json.loads(raw)
    assert json.loads(with_model(with_model(raw, "other"), before["model"])) == before


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"b","x":1,"model":"b"}',
        b'{"x":1,"model":"a","x":2}',
        b'{"model":"aa","x":{"model":"b"},"model":"b"}',
        b'{"a":12,"a":1,"model":"m"}',
        b'{"messages":[{"model":"nested"}]}',
        b"{}",
        b"[]",
        b"",
        b'{"model":',
        b'{"model":"a"} {}',
        b'{"\xff":1,"model":"a"}',
        b'{"model":"a","deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_cannot_be_located_beyond_doubt_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"occurs twice|no top-level|no JSON object|utf-8"):
        with_model(raw, "other")


FULL = {
    "model": "claude-opus-5-5",
    "stream": True,
    "max_tokens": 128_000,
    "metadata": {"user_id": "u"},
    "output_config": {"effort": "high"},
    "speed": "fast",
    "stop_sequences": ["</severity>"],
    "tools": [{"name": "t"}],
    "system": "s",
    "messages": [{"role": "user", "content": "hé"}],
}


def test_a_request_is_read() -> None:
    raw = json.dumps(FULL).encode()
    request = read(raw)
    assert request is not None
    assert (request.raw, request.model, request.stream, request.max_tokens) == (raw, "claude-opus-5-5", True, 128_000)
    assert (request.effort, request.speed, request.user_id) == ("high", "fast", "u")
    assert request.stop_sequences == ("</severity>",)
    parts = [json.loads(part) for part in (request.tools, request.system, request.messages)]
    assert parts == [FULL["tools"], FULL["system"], FULL["messages"]]
    assert request.messages in raw


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FULL, VALUES)))
def test_wrong_types_read_as_absent(body: dict[str, Any]) -> None:
    request = read(json.dumps(body).encode())
    assert request is not None
    assert request.model == (body["model"] if isinstance(body.get("model"), str) else "")
    assert request.stream is (body["stream"] if isinstance(body.get("stream"), bool) else None)
    assert request.max_tokens >= 0


@given(
    st.binary()
    | st.lists(st.sampled_from([b'{"model":', b'"a"', b"\xff", b",", b"}", b"1e999", b"null"])).map(b"".join)
)
def test_no_bytes_make_reading_raise(raw: bytes) -> None:
    request = read(raw)
    assert request is None or request.raw == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b'{"model":',
        b'{"model":"\xff"}',
        b'{"max_tokens":1e999}',
        b'{"metadata":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_request_is_none(raw: bytes) -> None:
    assert read(raw) is None


@pytest.mark.parametrize(
    ("user_id", "found"),
    [
        ('{"device_id":"d","account_uuid":"","session_id":"s-1"}', "s-1"),
        ("user_0123abcd_account__session_6f2a-11", "6f2a-11"),
        ("user_0_account_x_session_a_session_b", "b"),
        ("someone@example.org", None),
        ("user_0_account__session_", None),
        ('{"session_id":', None),
        ('{"session_id":1e999}', None),
        ("{}", None),
        ("", None),
        (None, None),
    ],
)
def test_user_id(user_id: str | None, found: str | None) -> None:
    assert parse_user_id(user_id).get("session_id") == found

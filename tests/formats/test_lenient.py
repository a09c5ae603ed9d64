from __future__ import annotations

import contextlib
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.formats.lenient import count, decode, items, obj, text

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(ANY)
def test_reading_never_raises(value: object) -> None:
    assert isinstance(obj(value), dict)
    assert all(isinstance(item, dict) for item in items(value))
    assert 0 <= count(value) <= 10**10
    assert text(value) is None or text(value) == value


@given(st.binary())
def test_bytes_decode_or_raise_one_error(raw: bytes) -> None:
    with contextlib.suppress(msgspec.DecodeError):
        decode(raw)


@pytest.mark.parametrize("raw", [b'"\xff"', b"[" * 200_000, b"1e999", b'"\\ud800"'])
def test_what_is_no_json_is_one_error(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(raw)


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        (7, 7),
        (7.0, 7),
        (0, 0),
        (-1, 0),
        (True, 0),
        ("7", 0),
        (None, 0),
        ([7], 0),
        (10**30, 10**10),
        (math.pi, 3),
        (math.inf, 10**10),
        (math.nan, 0),
    ],
)
def test_count(value: object, tokens: int) -> None:
    assert count(value) == tokens


def test_only_what_has_the_right_type_is_kept() -> None:
    assert items([{"a": 1}, None, "x", {"b": 2}]) == [{"a": 1}, {"b": 2}]
    assert (text(""), text(3), text("x")) == (None, None, "x")
    assert (obj([]), obj({"a": 1})) == ({}, {"a": 1})

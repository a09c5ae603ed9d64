from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.formats.json_slices import Patch, Slice, elements, members, patched, trimmed

KEYS = st.sampled_from(["a", "b", "model", 'q"u', "ü", "back\\slash"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
INDENT = st.sampled_from([None, 1])


def cut(raw: bytes, at: Slice) -> Any:
    return json.loads(raw[at.start : at.end])


@given(st.dictionaries(KEYS, VALUES), INDENT, st.booleans())
def test_each_member_is_found_where_it_stands(value: dict[str, Any], indent: int | None, plain: bool) -> None:
    raw = f"\n {json.dumps(value, indent=indent, ensure_ascii=plain)} ".encode()
    assert {name: cut(raw, at) for name, at in members(raw, trimmed(raw)).items()} == value


@given(st.lists(VALUES), INDENT)
def test_each_element_is_found_where_it_stands(value: list[Any], indent: int | None) -> None:
    raw = json.dumps(value, indent=indent).encode()
    assert [cut(raw, at) for at in elements(raw, trimmed(raw))] == value


@pytest.mark.parametrize(
    "raw", [b'{"a":1,"a":2}', b'{"a":1,"b":2,"a":1}', b'{"a":2,"a":2}', b"[1]", b"{", b'"\xff"', b""]
)
def test_what_is_no_object_or_has_a_key_twice_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"twice|no JSON object"):
        members(raw, trimmed(raw))


@pytest.mark.parametrize("raw", [b"{}", b"[1", b"7"])
def test_what_is_no_list_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="no JSON list"):
        elements(raw, trimmed(raw))


def test_patches_replace_and_put_in() -> None:
    raw = b'{"a":1,"b":[2]}'
    at = members(raw, trimmed(raw))
    put = Patch(Slice(len(raw) - 1, len(raw) - 1), b',"c":3')
    assert patched(raw, [put, Patch(at["a"], b"9")]) == b'{"a":9,"b":[2],"c":3}'
    assert patched(raw, []) == raw
    with pytest.raises(ValueError, match="same bytes"):
        patched(raw, [Patch(at["b"], b"9"), Patch(Slice(at["b"].start + 1, at["b"].end), b"9")])

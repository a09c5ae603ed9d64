from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.formats.dialects.gemini_arguments import Arguments

NAMES = st.text("abc xyz_0", min_size=1, max_size=4)
LEAVES = st.one_of(st.text(min_size=1, max_size=6), st.integers(-9, 9), st.booleans(), st.none())
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3), st.dictionaries(NAMES, inner, min_size=1, max_size=3)
    ),
    max_leaves=10,
)
_KINDS = {str: "stringValue", bool: "boolValue", int: "numberValue", type(None): "nullValue"}


def taken(*calls: dict[str, Any]) -> Any:
    arguments = Arguments()
    for call in calls:
        arguments.take(call)
    return json.loads(arguments.json)


def pieces_of(value: Any, path: str = "$") -> list[dict[str, Any]]:
    """A value as the pieces it may come in, its texts in two."""
    if isinstance(value, dict):
        return [piece for name, inner in value.items() for piece in pieces_of(inner, f"{path}['{name}']")]
    if isinstance(value, list):
        return [piece for at, inner in enumerate(value) for piece in pieces_of(inner, f"{path}[{at}]")]
    halves = [value[:1], value[1:]] if isinstance(value, str) else [value]
    return [{"jsonPath": path, _KINDS[type(half)]: half} for half in halves]


@given(st.dictionaries(NAMES, TREES, max_size=3))
def test_pieces_make_what_they_were_taken_from(whole: dict[str, Any]) -> None:
    assert taken(*({"partialArgs": [piece]} for piece in pieces_of(whole))) == whole


def test_paths_with_points_are_read() -> None:
    piece = {"jsonPath": "$.recipe.ingredients[1].name", "stringValue": "eggs"}
    assert taken({"partialArgs": [piece]}) == {"recipe": {"ingredients": [None, {"name": "eggs"}]}}


def test_arguments_that_come_whole_are_taken() -> None:
    assert taken({"args": {"a": 1}}, {"args": None}) == {"a": 1}


@pytest.mark.parametrize("piece", [{"jsonPath": "$..a", "stringValue": "x"}, {"stringValue": "x"}, {"jsonPath": "$.a"}])
def test_what_is_not_understood_changes_nothing(piece: dict[str, Any]) -> None:
    assert taken({"partialArgs": [piece]}) == {}

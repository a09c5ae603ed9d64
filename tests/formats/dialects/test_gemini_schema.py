from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.formats.dialects.gemini_schema import _KNOWN, cleaned

CITY = {"type": "string", "description": "Where."}


@pytest.mark.parametrize(
    ("schema", "sent", "gone"),
    [
        ({"type": "object", "properties": {"pattern": CITY}}, {"type": "object", "properties": {"pattern": CITY}}, ()),
        ({"$schema": "x", "type": "object"}, {"type": "object"}, ("$schema",)),
        ({"type": "string", "const": "a"}, {"type": "string", "enum": ["a"]}, ()),
        ({"enum": ["a", None, True, 1]}, {"enum": ["a", 1]}, ("enum",)),
        ({"enum": [None]}, {}, ("enum",)),
        ({"allOf": [{"type": "string"}], "title": "t"}, {"type": "string", "title": "t"}, ()),
        ({"allOf": [{"type": "string"}, {"minimum": 3}]}, {}, ("allOf",)),
        ({"anyOf": [{"type": "string", "default": 1}]}, {"anyOf": [{"type": "string"}]}, ("default",)),
        ({"items": {"$comment": "c"}}, {"items": {}}, ("$comment",)),
        ({"additionalProperties": False}, {"additionalProperties": False}, ()),
        ({"additionalProperties": {"examples": []}}, {"additionalProperties": {}}, ("examples",)),
    ],
)
def test_only_what_gemini_takes_is_sent(schema: dict[str, Any], sent: dict[str, Any], gone: tuple[str, ...]) -> None:
    assert cleaned(schema) == (sent, gone)


def test_a_limit_that_it_does_not_know_is_in_the_description() -> None:
    assert cleaned({**CITY, "minLength": 3, "pattern": "^a"}) == (
        {"type": "string", "description": "Where.\n\n{minLength: 3, pattern: ^a}"},
        ("minLength", "pattern"),
    )
    assert cleaned({"multipleOf": 2})[0] == {"description": "{multipleOf: 2}"}


def test_references_stand_alone_and_are_of_todays_kind() -> None:
    schema = {"definitions": {"a": CITY}, "properties": {"x": {"$ref": "#/definitions/a", "description": "more"}}}
    sent = {"$defs": {"a": CITY}, "properties": {"x": {"$ref": "#/$defs/a"}}}
    assert cleaned(schema) == (sent, ("description",))


WORDS = st.sampled_from([*sorted(_KNOWN - {"$ref"}), "pattern", "not", "if", "allOf", "const", "definitions"])
SCHEMAS = st.recursive(
    st.one_of(st.booleans(), st.text(max_size=3), st.integers(0, 9), st.just([])),
    lambda inner: st.one_of(
        st.dictionaries(WORDS, inner, max_size=4),
        st.dictionaries(st.just("properties"), st.dictionaries(st.text(max_size=2), inner, max_size=2), max_size=1),
        st.lists(inner, max_size=2),
    ),
    max_leaves=12,
)


@given(st.dictionaries(WORDS, SCHEMAS, max_size=4))
def test_whatever_a_schema_says_cleaning_it_twice_changes_no_more(schema: dict[str, Any]) -> None:
    sent, _ = cleaned(schema)
    assert set(sent) <= _KNOWN
    assert cleaned(sent)[0] == sent

from __future__ import annotations

from formats.dialects.asks import CLOSED, OPEN
from underspend.formats.dialects.schemas import enforceable, function_schema, is_strict


def test_a_function_without_parameters_still_names_its_properties() -> None:
    assert function_schema({}) == {"type": "object", "properties": {}}
    assert function_schema(OPEN) == OPEN


def test_openai_enforces_closed_schemas_without_options_only() -> None:
    assert is_strict(CLOSED)
    assert not is_strict(OPEN)
    assert not is_strict({**CLOSED, "required": ["city"]})
    nested = {"type": "object", "properties": {"a": OPEN}, "required": ["a"], "additionalProperties": False}
    assert not is_strict(nested)
    assert not is_strict({**CLOSED, "$defs": {"x": {"anyOf": [OPEN, {"type": "null"}]}}})


def test_a_schema_that_anthropic_enforces_stays_as_it_is() -> None:
    assert enforceable(CLOSED) == (CLOSED, ())


def test_objects_are_closed_and_limits_are_told_to_the_model() -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 1, "description": "count"},
            "s": {"type": "string", "format": "postcode", "enum": [{"minimum": 1}]},
            "d": {"type": "string", "format": "date"},
            "l": {"type": "array", "minItems": 2, "items": {"oneOf": [OPEN]}},
            "m": {"type": "array", "minItems": 1},
        },
        "additionalProperties": {"type": "string"},
    }
    made, gone = enforceable(schema)
    assert made == {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "description": "count\n\n{minimum: 1}"},
            "s": {"type": "string", "enum": [{"minimum": 1}], "description": "{format: postcode}"},
            "d": {"type": "string", "format": "date"},
            "l": {
                "type": "array",
                "items": {"anyOf": [{**OPEN, "additionalProperties": False}]},
                "description": "{minItems: 2}",
            },
            "m": {"type": "array", "minItems": 1},
        },
        "additionalProperties": False,
    }
    assert gone == ("additionalProperties", "format", "minItems", "minimum")

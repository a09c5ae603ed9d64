"""JSON schemas between providers that enforce them: what each wants of a schema before it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from underspend.formats.lenient import count, obj

Schema = Mapping[str, Any]

_ANTHROPIC_IGNORES = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "maxItems", "uniqueItems", "minProperties", "maxProperties", "patternProperties", "pattern",
    }
)  # fmt: skip
"""What Anthropic's structured output refuses, as its SDK's own `transform_schema` (2.10.0) has it."""

_ANTHROPIC_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)


def function_schema(schema: Schema) -> dict[str, Any]:
    """The parameters of a function: an object, with its properties named even where there are none."""
    return {"type": "object", "properties": {}, **schema}


def is_strict(schema: Schema) -> bool:
    """Whether OpenAI can enforce it: every object is closed and every property required.

    https://platform.openai.com/docs/guides/structured-outputs (2026-09)
    """
    return all(
        inner.get("additionalProperties") is False
        and set(obj(inner.get("properties"))) == _named(inner.get("required"))
        for inner in _objects(schema)
    )


def enforceable(schema: Schema) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A schema that Anthropic enforces, and the words of the schema that had to go.

    Objects are closed, as it demands; limits that it does not know are said in the description, so that the model may
    keep to them, as Anthropic's own SDK does.
    """
    gone: set[str] = set()
    made: dict[str, Any] = _enforceable(schema, gone)
    return made, tuple(sorted(gone))


def _enforceable(value: Any, gone: set[str]) -> Any:
    if isinstance(value, list):
        return [_enforceable(item, gone) for item in value]
    if not isinstance(value, Mapping):
        return value
    made: dict[str, Any] = {}
    unsaid: list[str] = []
    for word, inner in value.items():
        if _is_refused(word, inner):
            gone.add(word)
            unsaid.append(f"{word}: {inner}")
        elif word in {"properties", "$defs", "definitions"} and isinstance(inner, Mapping):
            made[word] = {name: _enforceable(each, gone) for name, each in inner.items()}
        elif word in {"enum", "const", "default", "examples", "required"}:
            made[word] = inner
        else:
            made["anyOf" if word == "oneOf" else word] = _enforceable(inner, gone)
    if _is_object(made):
        if made.get("additionalProperties", False) is not False:
            gone.add("additionalProperties")
        made["additionalProperties"] = False
    if unsaid:
        words = made.get("description")
        made["description"] = (f"{words}\n\n" if words else "") + "{" + ", ".join(unsaid) + "}"
    return made


def _named(required: object) -> set[str]:
    return {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()


def _is_refused(word: str, value: Any) -> bool:
    if word == "format":
        return not isinstance(value, str) or value not in _ANTHROPIC_FORMATS
    return word in _ANTHROPIC_IGNORES or (word == "minItems" and count(value) > 1)


def _is_object(schema: Schema) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema


def _objects(value: Any) -> Iterator[Schema]:
    if isinstance(value, Mapping):
        if _is_object(value):
            yield value
        for word, inner in value.items():
            if word in {"properties", "$defs", "definitions"} and isinstance(inner, Mapping):
                for each in inner.values():
                    yield from _objects(each)
            elif word not in {"enum", "const", "default", "examples", "required"}:
                yield from _objects(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)

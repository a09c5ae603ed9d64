"""JSON schemas as Gemini takes them, in `parametersJsonSchema` and `responseJsonSchema`.

The words it knows, and that a reference stands alone, are from https://ai.google.dev/api/generate-content (2026-08):
whatever else a schema says is not sent. A limit that it does not know is said in the description instead, for the
model to read; that and everything else that went is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from underspend.formats.lenient import obj

_KNOWN = frozenset(
    {
        *("$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems"),
        *("minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties"),
        *("required", "propertyOrdering"),
    }
)
_LIMITS = frozenset(
    {
        *("minLength", "maxLength", "pattern", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems"),
        *("minProperties", "maxProperties"),
    }
)
_NAMED = frozenset({"properties", "$defs"})
_LISTS = frozenset({"anyOf", "oneOf", "prefixItems"})
_INNER = frozenset({"items", "additionalProperties"})
_OLD_REFERENCE, _REFERENCE = "#/definitions/", "#/$defs/"


def cleaned(schema: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The schema without what Gemini does not take, and the words that went, in the order of the alphabet."""
    gone: set[str] = set()
    return _clean(schema, gone), tuple(sorted(gone))


def _clean(schema: Mapping[str, Any], gone: set[str]) -> dict[str, Any]:
    if isinstance(schema.get("$ref"), str):
        gone |= {word for word in schema if not word.startswith("$")}
        return {word: _reference(value) for word, value in schema.items() if word in {"$ref", "$defs"}}
    made: dict[str, Any] = {}
    unsaid: list[str] = []
    for word, value in _modern(schema, gone).items():
        if word in _KNOWN:
            made[word] = _value(word, value, gone)
        else:
            gone.add(word)
            unsaid += [f"{word}: {value}"] if word in _LIMITS else []
    if unsaid:
        words = made.get("description")
        made["description"] = (f"{words}\n\n" if words else "") + "{" + ", ".join(unsaid) + "}"
    return made


def _modern(schema: Mapping[str, Any], gone: set[str]) -> dict[str, Any]:
    """The schema with the words that mean the same as one that Gemini knows."""
    made = dict(schema)
    if "definitions" in made:
        made["$defs"] = {**obj(made.pop("definitions")), **obj(made.get("$defs"))}
    if "const" in made and "enum" not in made:
        made["enum"] = [made.pop("const")]
    inner = made.get("allOf")
    if isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], Mapping):
        del made["allOf"]
        made = {**inner[0], **made}
    if isinstance(made.get("enum"), list):
        kept = [value for value in made["enum"] if isinstance(value, (str, int, float)) and not isinstance(value, bool)]
        if kept != made["enum"]:
            gone.add("enum")
            made["enum"] = kept
        if not kept:
            del made["enum"]
    return made


def _value(word: str, value: Any, gone: set[str]) -> Any:
    if word in _NAMED and isinstance(value, Mapping):
        return {name: _clean(inner, gone) if isinstance(inner, Mapping) else inner for name, inner in value.items()}
    if word in _LISTS and isinstance(value, list):
        return [_clean(inner, gone) if isinstance(inner, Mapping) else inner for inner in value]
    if word in _INNER and isinstance(value, Mapping):
        return _clean(value, gone)
    return value


def _reference(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_OLD_REFERENCE):
        return _REFERENCE + value.removeprefix(_OLD_REFERENCE)
    return value

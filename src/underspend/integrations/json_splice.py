"""Changing members of a JSON file someone else formats: only the members change, every other character stays."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_SPACE = re.compile(r"[ \t\n\r]*")
_decode = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class Member:
    """Where one member of an object stands in the text."""

    key: str
    start: int
    value_start: int
    end: int


def members(text: str, start: int) -> tuple[list[Member], int]:
    """The members of the object that begins at `start`, and the index of its closing brace.

    Raises ValueError where the text is no JSON object.
    """
    at = _skip(text, start)
    if text[at : at + 1] != "{":
        raise ValueError("it is not a JSON object")
    found: list[Member] = []
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        begin = at
        if text[at : at + 1] != '"':
            raise ValueError(f"a key is expected at character {at}")
        key, at = _decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise ValueError(f"a colon is expected at character {at}")
        value_start = _skip(text, at + 1)
        _, end = _decode(text, value_start)
        found.append(Member(key, begin, value_start, end))
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "}":
            raise ValueError(f"a comma or a closing brace is expected at character {at}")
    return found, at


def put(text: str, path: tuple[str, ...], value: object) -> str:
    """The text with `value` at `path`; objects on the way are made where they are missing."""
    start = 0
    for depth, key in enumerate(path[:-1]):
        held, _ = members(text, start)
        inner = next((member for member in held if member.key == key), None)
        if inner is None:
            nested: object = value
            for name in reversed(path[depth + 1 :]):
                nested = {name: nested}
            return _inserted(text, start, key, nested)
        start = inner.value_start
    held, _ = members(text, start)
    member = next((member for member in held if member.key == path[-1]), None)
    if member is None:
        return _inserted(text, start, path[-1], value)
    return text[: member.value_start] + json.dumps(value) + text[member.end :]


def drop(text: str, path: tuple[str, ...]) -> str:
    """The text without the member at `path`; unchanged where there is none."""
    start = 0
    for key in path[:-1]:
        held, _ = members(text, start)
        inner = next((member for member in held if member.key == key), None)
        if inner is None:
            return text
        start = inner.value_start
    held, _ = members(text, start)
    for index, member in enumerate(held):
        if member.key == path[-1]:
            if index + 1 < len(held):
                return text[: member.start] + text[held[index + 1].start :]
            if index:
                return text[: held[index - 1].end] + text[member.end :]
            return text[: _skip(text, start) + 1] + text[_skip(text, member.end) :]
    return text


def _inserted(text: str, start: int, key: str, value: object) -> str:
    held, closing = members(text, start)
    outer = _indent_of(text, _skip(text, start))
    if held:
        inner = _indent_of(text, held[0].start)
        own_line = "\n" in text[start : held[0].start]
    else:
        inner, own_line = outer + "  ", True
    step = inner[len(outer) :] if inner.startswith(outer) and inner != outer else "  "
    dumped = json.dumps(value, indent=step if own_line else None).replace("\n", "\n" + inner)
    member = f"{json.dumps(key)}: {dumped}"
    if not held:
        return f"{text[: _skip(text, start) + 1]}\n{inner}{member}\n{outer}{text[closing:]}"
    separator = f",\n{inner}" if own_line else ", "
    return text[: held[-1].end] + separator + member + text[held[-1].end :]


def _indent_of(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip())]


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at

"""Arguments of a function call that come in pieces, each with the path of its place (`partialArgs`).

https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling#streaming-fc (2026-04)
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import msgspec

from underspend.formats.lenient import Json, items, text

_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")
_VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")
_MOST = 100_000
"""Places of one list: a path beyond it is not a call's."""


class Arguments:
    """Give it pieces in their order; `json` is what they make."""

    def __init__(self) -> None:
        self._whole: Json = {}

    def take(self, call: Json) -> None:
        """The pieces of one `functionCall`, or its arguments where they came whole."""
        if isinstance(call.get("args"), dict):
            self._whole.update(call["args"])
        for piece in items(call.get("partialArgs")):
            name = next((name for name in _VALUES if name in piece), None)
            path = _steps(text(piece.get("jsonPath")) or "")
            if path and name is not None:
                _put(self._whole, path, None if name == "nullValue" else piece[name])

    @property
    def json(self) -> str:
        """The arguments as JSON text."""
        return msgspec.json.encode(self._whole).decode()


def _steps(path: str) -> list[str | int]:
    """`$.recipe.ingredients[0].name` by its steps; none of a path that is not understood."""
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            return []
        field, index, *quoted = match.groups()
        if index is not None:
            steps.append(min(int(index), _MOST))
        else:
            steps.append(field if field is not None else next(name for name in quoted if name is not None))
        at = match.end()
    return steps


def _put(whole: Any, path: list[str | int], value: Any) -> None:
    """Set a place, which is made where it is missing. Text is added to what stands there."""
    holder = whole
    for step, following in pairwise(path):
        inner = _get(holder, step)
        if not isinstance(inner, list if isinstance(following, int) else dict):
            inner = [] if isinstance(following, int) else {}
            _set(holder, step, inner)
        holder = inner
    before = _get(holder, path[-1])
    joined = before + value if isinstance(before, str) and isinstance(value, str) else value
    _set(holder, path[-1], joined)


def _get(holder: Any, step: str | int) -> Any:
    if isinstance(holder, list):
        return holder[step] if isinstance(step, int) and step < len(holder) else None
    return holder.get(str(step))


def _set(holder: Any, step: str | int, value: Any) -> None:
    if isinstance(holder, list) and isinstance(step, int):
        holder += [None] * (step + 1 - len(holder))
        holder[step] = value
    else:
        holder[str(step)] = value

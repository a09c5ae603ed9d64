"""Reading JSON that others wrote: wrong types and nulls are as good as absent, never an error."""

from __future__ import annotations

from typing import Any

import msgspec

Json = dict[str, Any]

_decode = msgspec.json.Decoder().decode
_MOST_TOKENS = 10**10  # more than any prompt or limit; a count beyond it would not fit the ledger's sums


def decode(raw: bytes | msgspec.Raw) -> Any:
    """JSON bytes to plain Python values. Raises msgspec.DecodeError, also for bytes that are no UTF-8."""
    try:
        return _decode(raw)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error


def obj(value: object) -> Json:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Json]:
    """The objects of a list; empty when it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def count(value: object) -> int:
    """A token count: zero unless it is a non-negative number, and never more than any count can be."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    if not 0 <= value < _MOST_TOKENS:  # which is also so of what is not a number
        return _MOST_TOKENS if value >= _MOST_TOKENS else 0
    return int(value)


def text(value: object) -> str | None:
    """The value if it is a non-empty string."""
    return value if isinstance(value, str) and value else None

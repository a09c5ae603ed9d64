"""What every reader of requests does: take the JSON apart, and take a member for what it should be or for absent."""

from __future__ import annotations

import msgspec

from underspend.formats.lenient import Json, decode, obj


def decoded(body: bytes) -> Json:
    """A request with its list of messages. Raises ValueError for what is none."""
    try:
        given: Json = obj(decode(body))
    except msgspec.DecodeError as error:
        raise ValueError(f"the request is not JSON: {error}") from error
    messages = given.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise ValueError("the request has no list of messages")
    return given


def whole(given: object) -> int | None:
    """A number of something above zero; None for anything else."""
    return given if isinstance(given, int) and not isinstance(given, bool) and given > 0 else None


def number(given: object) -> float | None:
    """Any number; None for anything else."""
    return given if isinstance(given, (int, float)) and not isinstance(given, bool) else None

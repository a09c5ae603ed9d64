"""Errors of the Gemini API, and how a reply may end."""

from __future__ import annotations

import msgspec

from underspend.formats.dialects.neutral import Problem, Stop
from underspend.formats.dialects.responses_problem import kind_of
from underspend.formats.lenient import Json, count, decode, obj, text

_STOPS = {
    "STOP": Stop.END,
    "MAX_TOKENS": Stop.LENGTH,
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
        ),
        Stop.REFUSAL,
    ),
}
"""Every other `finishReason` (`MALFORMED_FUNCTION_CALL`, `OTHER` …) is a reply that went wrong."""


_ERROR, _SERVER_FAULT = 400, 500


def stop_of(reason: str) -> Stop | None:
    """Why a reply ended; None where it is no reply but a fault of the provider."""
    return _STOPS.get(reason)


def fault(reason: str, message: str | None) -> Problem:
    """A reply that went wrong, in Gemini's own words where it gives any."""
    return Problem("api_error", message or f"Gemini ended the reply with {reason}", reason)


def read_problem(status: int, body: bytes) -> Problem:
    """An error reply: its own words where it has the usual form, else the whole body as it came."""
    try:
        value = decode(body)
    except msgspec.DecodeError:
        value = None
    error = obj(obj(value[0] if isinstance(value, list) and value else value).get("error"))
    message = text(error.get("message")) or body.decode("utf-8", "replace").strip() or f"HTTP status {status}"
    return Problem(kind_of(status if status >= _ERROR else _code(error)), message, text(error.get("status")))


def in_stream(error: Json) -> Problem:
    """An error told in the midst of a stream; it brings its HTTP status with it."""
    message = text(error.get("message")) or "the provider gave no reason"
    return Problem(kind_of(_code(error)), message, text(error.get("status")))


def _code(error: Json) -> int:
    """The HTTP status that an error names itself."""
    return count(error.get("code")) or _SERVER_FAULT

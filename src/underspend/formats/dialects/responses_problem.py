"""Errors of the Responses API, read and written: the provider's words stay as they are, only their frame changes."""

from __future__ import annotations

import msgspec

from underspend.formats.dialects.neutral import Problem
from underspend.formats.lenient import Json, decode, obj, text

_BY_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_ERROR, _SERVER_FAULT = 400, 500
_CODES = {"rate_limit_error": "rate_limit_exceeded", "invalid_request_error": "invalid_prompt"}
_LIMITS = ("rate_limit", "quota", "too_many_requests")
_ITS_OWN_FAULT = {"api_error", "overloaded_error", "timeout_error"}


def kind_of(status: int) -> str:
    """The kind of an error, in Anthropic's words, by its HTTP status."""
    return _BY_STATUS.get(status) or ("api_error" if status >= _SERVER_FAULT else "invalid_request_error")


def read_problem(status: int, body: bytes) -> Problem:
    """An error reply: its own words where it has the usual form, else the whole body as it came."""
    error = _error(body)
    if error and status < _ERROR:
        return in_stream(error)
    message = text(error.get("message")) or body.decode("utf-8", "replace").strip() or f"HTTP status {status}"
    return Problem(kind_of(status), message, _code(error))


def in_stream(error: Json) -> Problem:
    """An error told in a stream or in a failed response, where no status says what kind it is."""
    words = f"{text(error.get('type')) or ''} {text(error.get('code')) or ''}"
    if any(limit in words for limit in _LIMITS):
        kind = "rate_limit_error"
    elif "overloaded" in words:
        kind = "overloaded_error"
    elif "invalid" in words or "context_length" in words or "policy" in words:
        kind = "invalid_request_error"
    else:
        kind = "api_error"
    return Problem(kind, text(error.get("message")) or "the provider gave no reason", _code(error))


def error_object(problem: Problem) -> Json:
    """The error as OpenAI writes it: message, type, param and code."""
    return {
        "message": problem.message,
        "type": "server_error" if problem.kind in _ITS_OWN_FAULT else problem.kind,
        "param": None,
        "code": problem.code,
    }


def failure(problem: Problem) -> Json:
    """The `error` of a failed response, which always has a code: the provider's, or OpenAI's word for the kind."""
    code = problem.code or _CODES.get(problem.kind, "server_error")
    return {"code": code, "message": problem.message}


def write_problem(problem: Problem) -> bytes:
    """The body of an error reply."""
    return msgspec.json.encode({"error": error_object(problem)})


def _error(body: bytes) -> Json:
    try:
        value = decode(body)
    except msgspec.DecodeError:
        return {}
    whole = obj(value[0] if isinstance(value, list) and value else value)
    error = whole.get("error")
    # Some servers that copy the API give a bare sentence.
    return {"message": error} if isinstance(error, str) else obj(error)


def _code(error: Json) -> str | None:
    return text(error.get("code")) or text(error.get("type"))

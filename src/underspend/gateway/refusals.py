"""Replies that are the gateway's own: in the provider's error shape, so that clients show them as they show others."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from underspend.core.edits import RefusalKind, Refuse
from underspend.gateway.transport import RawHeaders, Responder

_TYPES = {
    RefusalKind.BUDGET: (402, "billing_error"),  # of a 403 Claude Code tells its user that it failed to authenticate
    RefusalKind.RATE_LIMIT: (429, "rate_limit_error"),
    RefusalKind.PAUSE: (402, "billing_error"),
}
_HEEDED_SECONDS = 60
_MB = 1024 * 1024
_NOT_FOUND = 404


async def refuse(responder: Responder, refusal: Refuse, *, dialect: str = "anthropic") -> int:
    """Answer a call that is not sent. Clients are told not to try again. Returns the status."""
    status, error_type = _TYPES[refusal.kind]
    await respond_error(responder, status, error_type, refusal.why, retry=False, dialect=dialect)
    return status


def status_of(kind: RefusalKind) -> int:
    """The status that a refusal is answered with."""
    return _TYPES[kind][0]


async def wait(responder: Responder, why: str, seconds: int, *, dialect: str = "anthropic") -> int:
    """Answer a call that is to come again after so many seconds. Returns the status.

    Clients heed a `retry-after` of up to a minute; what takes longer is told at once instead of tried in vain.
    """
    status, error_type = _TYPES[RefusalKind.RATE_LIMIT]
    after = (b"retry-after", str(seconds).encode())
    is_soon = seconds <= _HEEDED_SECONDS
    await respond_error(responder, status, error_type, why, retry=is_soon, dialect=dialect, more=[after])
    return status


async def too_large(responder: Responder, limit: int, *, dialect: str = "anthropic") -> None:
    """Answer a body above the limit."""
    why = f"the request is larger than {limit // _MB} MB; raise [gateway] body_limit_mb to let it through"
    await respond_error(responder, 413, "request_too_large", why, retry=False, dialect=dialect)


async def unreachable(responder: Responder, problem: str, *, dialect: str = "anthropic") -> None:
    """Answer when upstream could not be asked: the client may try again."""
    why = f"upstream cannot be reached: {problem}"
    await respond_error(responder, 502, "api_error", why, retry=True, dialect=dialect)


async def not_carried(responder: Responder, status: int, problem: str, *, dialect: str) -> None:
    """Answer a call that nobody here can be asked: the same again would be answered the same."""
    kind = "not_found_error" if status == _NOT_FOUND else "invalid_request_error"
    await respond_error(responder, status, kind, problem, retry=False, dialect=dialect)


async def forbidden(responder: Responder, why: str) -> None:
    """Answer a request that is not let in."""
    await respond_error(responder, 403, "permission_error", why, retry=False)


async def ask_for_key(responder: Responder) -> None:
    """Make a browser ask for the access key; it is the password, the name is free."""
    await responder.start(401, [(b"www-authenticate", b'Basic realm="underspend"'), (b"content-length", b"0")])
    await responder.end()


async def respond_error(  # noqa: PLR0913  # what an error says, and to whom
    responder: Responder,
    status: int,
    error_type: str,
    message: str,
    *,
    retry: bool,
    dialect: str = "anthropic",
    more: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Answer with an error body in the client's dialect, marked as ours."""
    body = error_body(dialect, error_type, f"underspend: {message}")
    headers: RawHeaders = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-should-retry", b"true" if retry else b"false"),
        (b"x-underspend-error", error_type.encode()),
        *more,
    ]
    await responder.start(status, headers)
    await responder.write(body)
    await responder.end()


def error_body(dialect: str, error_type: str, message: str) -> bytes:
    """An error as a dialect writes it."""
    if dialect == "anthropic":
        return msgspec.json.encode({"type": "error", "error": {"type": error_type, "message": message}})
    return msgspec.json.encode({"error": {"message": message, "type": error_type, "param": None, "code": None}})

"""Requests and responses as the dashboard's handlers see them, over bare ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

ROOT = "/_/"

# Marks in charts are placed by style attributes; scripts and style sheets come from this server alone.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A path under `/_/`, percent signs resolved, and its query.

    The first value counts where a name is given twice; an empty one is none.
    """

    path: str
    query: Mapping[str, str]

    def below(self, folder: str) -> str:
        """What the path names in a folder: "x/y" of `/_/calls/x/y` in "calls/"."""
        return self.path.removeprefix(f"{ROOT}{folder}")

    @classmethod
    def of(cls, scope: Scope) -> Request:
        """The request of an ASGI scope."""
        pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"))
        return cls(path=scope["path"], query=dict(reversed(pairs)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole answer."""

    body: bytes
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def headers(content_type: str, more: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The header lines of an answer, those against cross-site mischief included; not cached unless `more` says so."""
    said = {"content-type": content_type, "cache-control": "no-store", **_ALWAYS, **more}
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said.items()]


async def respond(send: Send, response: Response, *, head: bool = False) -> None:
    """Send a whole answer; with `head` everything but its body."""
    length = {"content-length": str(len(response.body))}
    lines = headers(response.content_type, {**response.headers, **length})
    await send({"type": "http.response.start", "status": response.status, "headers": lines})
    await send({"type": "http.response.body", "body": b"" if head else response.body})


def text(body: str, *, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Response:
    """Plain text."""
    return Response(body=body.encode(), content_type=content_type, status=status)


def json(body: bytes, *, status: int = 200) -> Response:
    """JSON that is already encoded."""
    return Response(body=body, content_type="application/json", status=status)

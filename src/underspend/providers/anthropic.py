"""Anthropic's own API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from underspend.providers.keys import Secret
from underspend.providers.provider import ANTHROPIC, Headers, Outgoing, Provider, bearer, header, with_json

_PATHS = {"messages": "/v1/messages", "count_tokens": "/v1/messages/count_tokens"}
_LOGIN = "sk-ant-oat"
_VERSION = (b"anthropic-version", b"2023-06-01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anthropic(Provider):
    """Keys go as `x-api-key`; the token of a login goes as a Bearer, which is the only way it is taken."""

    kind: ClassVar[str] = "anthropic"

    @property
    def speaks(self) -> tuple[str, ...]:
        """Its own dialect."""
        return (ANTHROPIC,)

    @property
    def url(self) -> str:
        """As configured, else the public API."""
        return self.base_url or "https://api.anthropic.com"

    @property
    def price_list(self) -> str:
        """Its own."""
        return self.prices or "anthropic"

    def path(self, request: Outgoing) -> str:
        """By endpoint."""
        return _PATHS[request.endpoint]

    def headers_of(self, request: Outgoing) -> Headers:
        """With a version of the API, which it demands."""
        return with_version(with_json(request.headers))

    def credentials(self, key: Secret, dialect: str) -> Headers:  # noqa: ARG002  # it speaks only one
        """`x-api-key`, or a Bearer."""
        return bearer(key) if key.reveal().startswith(_LOGIN) else header(b"x-api-key", key)


def with_version(headers: Headers) -> Headers:
    """The headers, with a version of the API where the client named none (one of another dialect does not)."""
    return headers if any(name == _VERSION[0] for name, _ in headers) else [*headers, _VERSION]

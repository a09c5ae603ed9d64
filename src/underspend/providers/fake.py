"""A provider of this machine's own, for trials: the fake upstream in any dialect. It refuses to leave the machine."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from underspend.core.errors import ConfigError
from underspend.providers.keys import Secret
from underspend.providers.provider import (
    ANTHROPIC,
    CHAT,
    GEMINI,
    RESPONSES,
    Headers,
    Outgoing,
    Provider,
    bearer,
    in_path,
)

_PATHS = {
    "messages": "/v1/messages",
    "count_tokens": "/v1/messages/count_tokens",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "embeddings": "/v1/embeddings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fake(Provider):
    """Speaks `dialect`; wants a loopback address."""

    kind: ClassVar[str] = "fake"

    dialect: str = ANTHROPIC

    @property
    def wants_key(self) -> bool:
        """None is looked at."""
        return False

    @property
    def speaks(self) -> tuple[str, ...]:
        """One dialect."""
        return (self.dialect,)

    @property
    def url(self) -> str:
        """As configured: it has no address of its own."""
        return self.base_url

    @property
    def price_list(self) -> str:
        """As configured, else the vendor of the dialect."""
        return self.prices or {GEMINI: "google", CHAT: "openai", RESPONSES: "openai"}.get(self.dialect, "anthropic")

    def path(self, request: Outgoing) -> str:
        """As the dialect's vendor has it."""
        if request.endpoint == "generate":
            verb = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
            return f"/v1beta/models/{in_path(request.model)}:{verb}"
        return _PATHS[request.endpoint]

    def credentials(self, key: Secret, dialect: str) -> Headers:  # noqa: ARG002  # all are shown alike
        """A Bearer."""
        return bearer(key)

    def check(self) -> None:
        """Raises ConfigError for an address that is not this machine's."""
        Provider.check(self)
        host = urlsplit(self.url).hostname or ""
        if host != "localhost" and not _is_loopback(host):
            raise ConfigError(
                where=f"providers.{self.name}.base_url",
                problem=f"{host} is not this machine, and a fake provider is for trials on it",
                mend='Write http://127.0.0.1:<port>, or another kind than "fake".',
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

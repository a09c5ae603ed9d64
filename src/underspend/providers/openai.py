"""OpenAI's own API: Chat Completions and Responses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from underspend.providers.keys import Secret
from underspend.providers.provider import CHAT, RESPONSES, Headers, Outgoing, Provider, bearer

PATHS = {"chat": "/chat/completions", "responses": "/responses", "embeddings": "/embeddings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAi(Provider):
    """Calls of other dialects are translated to Chat Completions; Responses go as they are."""

    kind: ClassVar[str] = "openai"

    @property
    def speaks(self) -> tuple[str, ...]:
        """Both of its dialects."""
        return (CHAT, RESPONSES)

    @property
    def url(self) -> str:
        """As configured, else the public API. It ends in the version, as OpenAI's clients have it."""
        return self.base_url or "https://api.openai.com/v1"

    @property
    def price_list(self) -> str:
        """Its own."""
        return self.prices or "openai"

    def path(self, request: Outgoing) -> str:
        """By endpoint."""
        return PATHS[request.endpoint]

    def credentials(self, key: Secret, dialect: str) -> Headers:  # noqa: ARG002  # both show it alike
        """A Bearer."""
        return bearer(key)

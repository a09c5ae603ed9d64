"""Google's Gemini API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from underspend.providers.keys import Secret
from underspend.providers.provider import GEMINI, Headers, Outgoing, Provider, header, in_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Gemini(Provider):
    """The model is in the path; a stream is asked for as server-sent events."""

    kind: ClassVar[str] = "gemini"

    @property
    def speaks(self) -> tuple[str, ...]:
        """Its own dialect."""
        return (GEMINI,)

    @property
    def url(self) -> str:
        """As configured, else the public API."""
        return self.base_url or "https://generativelanguage.googleapis.com/v1beta"

    @property
    def price_list(self) -> str:
        """Google's."""
        return self.prices or "google"

    def path(self, request: Outgoing) -> str:
        """By model, and by whether it streams."""
        verb = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
        return f"/models/{in_path(request.model.removeprefix('models/'))}:{verb}"

    def credentials(self, key: Secret, dialect: str) -> Headers:  # noqa: ARG002  # it speaks only one
        """`x-goog-api-key`: in a query it would stand in logs."""
        return header(b"x-goog-api-key", key)

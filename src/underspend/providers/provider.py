"""What a provider is: whom it is, what it speaks, and how a request to it is addressed and signed.

Providers are small and hold no connection. Most of their work is pure; signing for a cloud asks its own library.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import quote, urlsplit

from underspend.core.errors import ConfigError
from underspend.providers.keys import Secret

Headers = list[tuple[bytes, bytes]]
Decode = Callable[[bytes], bytes]

ANTHROPIC, CHAT, RESPONSES, GEMINI = "anthropic", "openai", "responses", "gemini"
"""The dialects, by the names that translators have."""

CALLERS = "client"
"""The key that says: whatever the client sent."""

_JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request in a dialect of the provider's, before it has an address.

    `endpoint` is "messages", "count_tokens", "chat", "responses", "embeddings" or "generate". `headers` are those of
    the client's that say how the body is to be understood; never a credential.
    """

    dialect: str
    endpoint: str
    model: str
    body: bytes = field(repr=False)
    stream: bool = False
    headers: Sequence[tuple[bytes, bytes]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """A request that is ready to go: `target` is the path and query behind the provider's origin."""

    target: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider(ABC):
    """One `[providers.<name>]` table: its fields are the table's settings.

    `key` is a reference ("env:NAME", "keyring:service/user", "file:/path") or "client". `models` are ids that clients
    may ask for without naming the provider; `aliases` maps what clients say to what the provider calls it. `prices` is
    the provider's name in the price catalogue. `speaks` are its dialects, the one to translate to first.
    """

    kind: ClassVar[str]
    signs: ClassVar[bool] = False
    """Whether `addressed` may take long (a library that asks a server for a token): it then runs in a thread."""

    name: str
    base_url: str = ""
    key: str = ""
    models: tuple[str, ...] = ()
    aliases: dict[str, str] = field(default_factory=dict)
    prices: str = ""

    @property
    @abstractmethod
    def speaks(self) -> tuple[str, ...]:
        """The dialects it understands, the preferred one first."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Its base URL, as configured or by default."""

    @property
    @abstractmethod
    def price_list(self) -> str:
        """Its name in the price catalogue."""

    @abstractmethod
    def path(self, request: Outgoing) -> str:
        """The path (and query) of a request, behind the base URL."""

    @abstractmethod
    def credentials(self, key: Secret, dialect: str) -> Headers:
        """The headers that show a key."""

    @property
    def wants_key(self) -> bool:
        """Whether nothing can be asked of it without a key."""
        return True

    @property
    def reports_stream_usage(self) -> bool:
        """Whether a stream of OpenAI's Chat dialect may be asked for its usage."""
        return True

    def is_regional(self, model: str) -> bool:  # noqa: ARG002  # only clouds have regions
        """Whether a model is served by a cloud's regional endpoint, which is dearer for newer models."""
        return False

    def model_id(self, model: str) -> str:
        """What the provider calls a model that a client named."""
        return self.aliases.get(model, model)

    def body_of(self, request: Outgoing) -> bytes:
        """The body as it is sent; as it was written, for most."""
        return request.body

    def headers_of(self, request: Outgoing) -> Headers:
        """The headers that go with a request, but for the key's."""
        return with_json(request.headers)

    def addressed(self, request: Outgoing, key: Secret | None) -> Addressed:
        """The request with its path, its headers and its key."""
        shown = self.credentials(key, request.dialect) if key is not None else []
        target = urlsplit(self.url).path.rstrip("/") + self.path(request)
        return Addressed(target=target, headers=[*self.headers_of(request), *shown], body=self.body_of(request))

    def stream_decoder(self, content_type: str) -> Decode | None:  # noqa: ARG002  # most streams are server-sent events
        """What turns a streamed reply into server-sent events, where it is none; None for one that is."""
        return None

    def check(self) -> None:
        """Raises ConfigError for settings that cannot work together."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ConfigError(
                where=f"providers.{self.name}.base_url",
                problem=f"{self.url or 'nothing'} is not the address of a server",
                mend="Write it as https://host/path.",
            )

    @property
    def origin(self) -> str:
        """Scheme, host and port: what connections are made to."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def with_json(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    """The headers, with a content type where they have none."""
    return list(headers) if any(name == b"content-type" for name, _ in headers) else [*headers, _JSON]


def bearer(key: Secret) -> Headers:
    """`authorization: Bearer`."""
    return [(b"authorization", b"Bearer " + key.reveal().encode("latin-1", "replace"))]


def header(name: bytes, key: Secret) -> Headers:
    """The key in a header of its own."""
    return [(name, key.reveal().encode("latin-1", "replace"))]


def in_path(model: str) -> str:
    """A model's id as one segment of a path, whatever it holds."""
    return quote(model, safe="-_.~:@")

"""Claude on Google Vertex AI (rawPredict). Tokens come from google-auth.

Source: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude: the model is in the
path, the version of the API in the body.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, ClassVar
from urllib.parse import quote

from underspend.core.errors import ConfigError
from underspend.providers.cloud_body import without_model
from underspend.providers.keys import Secret
from underspend.providers.provider import ANTHROPIC, Addressed, Headers, Outgoing, Provider, bearer, in_path

_VERSION = "vertex-2023-10-16"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_GLOBAL = "global"
_SHARED = frozenset({"us", "eu"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex(Provider):
    """Without `key` the machine's own Google credentials are used. `location` is a region, "global", "us" or "eu"."""

    kind: ClassVar[str] = "vertex"
    signs: ClassVar[bool] = True

    project: str = ""
    location: str = _GLOBAL

    @property
    def wants_key(self) -> bool:
        """The machine's own credentials give tokens."""
        return False

    @property
    def speaks(self) -> tuple[str, ...]:
        """Anthropic's dialect, in its own wrapping."""
        return (ANTHROPIC,)

    @property
    def url(self) -> str:
        """As configured, else the location's."""
        if self.base_url:
            return self.base_url
        if self.location in _SHARED:
            return f"https://aiplatform.{self.location}.rep.googleapis.com"
        area = "" if self.location == _GLOBAL else f"{self.location}-"
        return f"https://{area}aiplatform.googleapis.com"

    @property
    def price_list(self) -> str:
        """Google's, which has Claude at Anthropic's prices."""
        return self.prices or "google"

    def is_regional(self, model: str) -> bool:  # noqa: ARG002  # the location says it
        """All locations but the global one."""
        return self.location != _GLOBAL

    def path(self, request: Outgoing) -> str:
        """By project, location and model."""
        place = f"/v1/projects/{quote(self.project, safe='')}/locations/{quote(self.location, safe='')}"
        if request.endpoint == "count_tokens":
            return f"{place}/publishers/anthropic/models/count-tokens:rawPredict"
        verb = "streamRawPredict" if request.stream else "rawPredict"
        return f"{place}/publishers/anthropic/models/{in_path(request.model)}:{verb}"

    def headers_of(self, request: Outgoing) -> Headers:
        """Without the version, which is in the body."""
        return [pair for pair in Provider.headers_of(self, request) if pair[0] != b"anthropic-version"]

    def body_of(self, request: Outgoing) -> bytes:
        """Without the model, with the version; counting tokens names the model in the body as ever."""
        return request.body if request.endpoint == "count_tokens" else without_model(request, _VERSION, stream=True)

    def credentials(self, key: Secret, dialect: str) -> Headers:  # noqa: ARG002  # it speaks only one
        """A Bearer."""
        return bearer(key)

    def addressed(self, request: Outgoing, key: Secret | None) -> Addressed:
        """With a token of google-auth's where there is no key. Raises ConfigError without either."""
        return Provider.addressed(self, request, key or self._token())

    def check(self) -> None:
        """Raises ConfigError without a project."""
        if not self.project:
            mend = "Write the id of your Google Cloud project."
            raise ConfigError(where=f"providers.{self.name}.project", problem="it is not set", mend=mend)
        Provider.check(self)

    def _token(self) -> Secret:
        where = f"providers.{self.name}"
        try:
            credentials, request = _google()
        except ImportError as error:
            mend = "Install it: pip install 'underspend[vertex]'."
            raise ConfigError(where=where, problem="google-auth is not installed", mend=mend) from error
        try:
            if not credentials.valid:
                credentials.refresh(request)
        except Exception as error:
            problem = f"Google gave no token ({type(error).__name__})"
            mend = "Run: gcloud auth application-default login"
            raise ConfigError(where=where, problem=problem, mend=mend) from error
        return Secret(str(credentials.token))


@cache
def _google() -> tuple[Any, Any]:
    """The machine's credentials, and what they are refreshed by."""
    auth: Any = import_module("google.auth")
    transport: Any = import_module("google.auth.transport.requests")
    credentials, _ = auth.default(scopes=[_SCOPE])
    return credentials, transport.Request()

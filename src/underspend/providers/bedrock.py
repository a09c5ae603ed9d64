"""Claude on Amazon Bedrock (InvokeModel). Requests are signed by botocore, or carry a Bedrock API key as a Bearer.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html and Anthropic's page
"Claude on Amazon Bedrock": the model is in the path, the version in the body, betas in the body too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

from underspend.core.errors import ConfigError
from underspend.providers.cloud_body import without_model
from underspend.providers.event_stream import CONTENT_TYPE, EventStream
from underspend.providers.keys import Secret
from underspend.providers.provider import ANTHROPIC, Addressed, Decode, Headers, Outgoing, Provider, bearer, in_path

_VERSION = "bedrock-2023-05-31"
_VERBS = {
    ("messages", False): "invoke",
    ("messages", True): "invoke-with-response-stream",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bedrock(Provider):
    """Without `key` the machine's own AWS credentials sign: `profile`, else the environment, else the instance's."""

    kind: ClassVar[str] = "bedrock"
    signs: ClassVar[bool] = True

    region: str = "us-east-1"
    profile: str = ""

    @property
    def wants_key(self) -> bool:
        """The machine's own credentials sign."""
        return False

    @property
    def speaks(self) -> tuple[str, ...]:
        """Anthropic's dialect, in its own wrapping."""
        return (ANTHROPIC,)

    @property
    def url(self) -> str:
        """As configured, else the region's."""
        return self.base_url or f"https://bedrock-runtime.{self.region}.amazonaws.com"

    @property
    def price_list(self) -> str:
        """Amazon's."""
        return self.prices or "aws"

    def is_regional(self, model: str) -> bool:
        """All but the global inference profiles."""
        return not model.startswith("global.")

    def path(self, request: Outgoing) -> str:
        """By model, and by whether it streams. Raises ValueError for an endpoint it does not have."""
        verb = _VERBS.get((request.endpoint, request.stream))
        if verb is None:
            raise ValueError(f"Bedrock has no {request.endpoint}")
        # A colon in the id is part of the path that is signed, so it is escaped as the signature has it.
        return f"/model/{in_path(request.model).replace(':', '%3A')}/{verb}"

    def headers_of(self, request: Outgoing) -> Headers:
        """Without Anthropic's own: they are in the body."""
        return [pair for pair in Provider.headers_of(self, request) if not pair[0].startswith(b"anthropic-")]

    def body_of(self, request: Outgoing) -> bytes:
        """Without the model, with the version and the betas."""
        return without_model(request, _VERSION, betas=True)

    def credentials(self, key: Secret, dialect: str) -> Headers:  # noqa: ARG002  # it speaks only one
        """A Bedrock API key is a Bearer."""
        return bearer(key)

    def addressed(self, request: Outgoing, key: Secret | None) -> Addressed:
        """Signed where there is no key. Raises ConfigError without botocore or without credentials."""
        made = Provider.addressed(self, request, key)
        if key is not None:
            return made
        return Addressed(target=made.target, headers=self._signed(made), body=made.body)

    def stream_decoder(self, content_type: str) -> Decode | None:
        """Its streams are AWS event streams."""
        return EventStream().feed if content_type.startswith(CONTENT_TYPE) else None

    def _signed(self, made: Addressed) -> Headers:
        try:
            session: Any = import_module("botocore.session")
            auth: Any = import_module("botocore.auth")
            request_kind: Any = import_module("botocore.awsrequest").AWSRequest
        except ImportError as error:
            mend = "Install it: pip install 'underspend[bedrock]'."
            raise ConfigError(where=self._where, problem="botocore is not installed", mend=mend) from error
        credentials = _session(session.Session, self.profile).get_credentials()
        if credentials is None:
            mend = "Log in with the AWS tools, or set key."
            raise ConfigError(where=self._where, problem="there are no AWS credentials", mend=mend)
        signing = {b"content-type", b"accept"}
        plain = {name.decode(): value.decode("latin-1") for name, value in made.headers if name in signing}
        request = request_kind("POST", self.origin + made.target, headers=plain, data=made.body)
        auth.SigV4Auth(credentials.get_frozen_credentials(), "bedrock", self.region).add_auth(request)
        kept = [pair for pair in made.headers if pair[0] not in signing]
        return [*kept, *((name.lower().encode(), str(value).encode()) for name, value in request.headers.items())]

    @property
    def _where(self) -> str:
        return f"providers.{self.name}"


@cache
def _session(made: Callable[..., Any], profile: str) -> Any:
    """A session of botocore's, which remembers its credentials and renews them: making one takes long."""
    return made(profile=profile or None)

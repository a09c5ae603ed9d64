"""What a path is for, and which dialect is spoken there.

Anything not known is forwarded too, and metered if its reply reports usage.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DIALECT = re.compile(r"/(anthropic|openai)(?=/v1(?:/|$))")
_PROJECT = re.compile(r"/p/([^/]+)(?=/|$)")
_BATCH_RESULTS = re.compile(r"/v1/messages/batches/[^/]+/results/?$")
_MODELS = re.compile(r"/v1/models(?:/.+)?")
_OTHERS = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/embeddings": "embeddings",
}
_SPOKEN = {
    "messages": "anthropic",
    "count_tokens": "anthropic",
    "chat": "openai",
    "responses": "responses",
    "embeddings": "openai",
}
_BATCHES = re.compile(r"/v1/messages/batches(?:/|$)")


@dataclass(frozen=True, slots=True)
class Route:
    """`target` is the path to ask upstream for; `prefix` what was taken off it (to rewrite absolute URLs with).

    `said` is the dialect that the path names before all else ("/openai/v1/models"), None where it names none.
    """

    endpoint: str
    target: str
    project: str | None = None
    prefix: str = ""
    said: str | None = None

    @property
    def call(self) -> bool:
        """Whether it may be billed by its own reply, and so goes through the books."""
        return self.endpoint == "post" or self.endpoint in _SPOKEN

    @property
    def read(self) -> bool:
        """Whether the request's body is read whole before it is forwarded."""
        return self.endpoint in _SPOKEN

    @property
    def dialect(self) -> str:
        """What is spoken there; Anthropic's where nothing else is known."""
        return _SPOKEN.get(self.endpoint, "anthropic")


def classify(method: str, path: str) -> Route:
    """The route of a request line's path (still percent-encoded)."""
    found = _PROJECT.match(path)
    prefix, project = (found.group(0), found.group(1)) if found else ("", None)
    target = path[len(prefix) :] or "/"
    named = _DIALECT.match(target)
    if named:
        prefix, target = prefix + named.group(0), target[len(named.group(0)) :]
    return Route(_endpoint(method, target), target, project, prefix, named.group(1) if named else None)


def target_of(route: Route, query: bytes) -> str:
    """The target to ask upstream for, query included."""
    return f"{route.target}?{query.decode('latin-1')}" if query else route.target


def _endpoint(method: str, target: str) -> str:
    path = target.rstrip("/")
    if "/v1/messages/batches" in path and (found := _batch(path)) is not None:
        return found
    if method == "GET" and _MODELS.fullmatch(path):
        return "models"
    if method != "POST" or path.endswith("/v1/files"):
        return "other"
    if path.endswith("/v1/messages/count_tokens"):
        return "count_tokens"
    if path.endswith("/v1/messages"):
        return "messages"
    return next((endpoint for end, endpoint in _OTHERS.items() if path.endswith(end)), "post")


def _batch(path: str) -> str | None:
    if _BATCH_RESULTS.search(path):
        return "batch_results"
    return "batches" if _BATCHES.search(path) else None

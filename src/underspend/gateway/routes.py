"""What a path is for. Anything not known is forwarded too, and metered if its reply reports usage."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PROJECT = re.compile(r"/p/([^/]+)(?=/|$)")
_BATCH_RESULTS = re.compile(r"/v1/messages/batches/[^/]+/results/?$")
_BATCHES = re.compile(r"/v1/messages/batches(?:/|$)")


@dataclass(frozen=True, slots=True)
class Route:
    """`target` is the path to ask upstream for; `prefix` what was taken off it (to rewrite absolute URLs with)."""

    endpoint: str
    target: str
    project: str | None = None
    prefix: str = ""

    @property
    def call(self) -> bool:
        """Whether it may be billed by its own reply, and so goes through the books."""
        return self.endpoint in {"messages", "count_tokens", "post"}

    @property
    def read(self) -> bool:
        """Whether the request's body is a Messages request, read whole before it is forwarded."""
        return self.endpoint in {"messages", "count_tokens"}


def classify(method: str, path: str) -> Route:
    """The route of a request line's path (still percent-encoded)."""
    found = _PROJECT.match(path)
    prefix, project = (found.group(0), found.group(1)) if found else ("", None)
    target = path[len(prefix) :] or "/"
    return Route(_endpoint(method, target), target, project, prefix)


def target_of(route: Route, query: bytes) -> str:
    """The target to ask upstream for, query included."""
    return f"{route.target}?{query.decode('latin-1')}" if query else route.target


def _endpoint(method: str, target: str) -> str:
    path = target.rstrip("/")
    if _BATCH_RESULTS.search(path):
        return "batch_results"
    if _BATCHES.search(path):
        return "batches"
    if method != "POST" or path.endswith("/v1/files"):
        return "other"
    if path.endswith("/v1/messages/count_tokens"):
        return "count_tokens"
    return "messages" if path.endswith("/v1/messages") else "post"

"""Asking a running fake upstream over plain HTTP, so that bytes and headers are seen as they were sent."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from underspend.testing.fake_upstream import FakeUpstream

MODEL = "claude-opus-5-5"


@dataclass(frozen=True)
class Got:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = [line[5:] for line in self.body.splitlines() if line.startswith(b"data:")]
        return [json.loads(line) for line in lines]


Ask = Callable[..., Got]


def fetch(
    up: FakeUpstream,
    path: str = "/v1/messages",
    body: Any = None,
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    key: str | None = "sk-ant-fake",
) -> Got:
    """One exchange. A dict body is JSON; a cut answer gives the bytes that came before the cut."""
    parts = urlsplit(up.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    sent = {} if key is None else {"x-api-key": key}
    raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    try:
        connection.request(method, parts.path + path, raw, {**sent, **(headers or {})})
        response = connection.getresponse()
        try:
            content = response.read()
        except http.client.IncompleteRead as cut:
            content = cut.partial
        return Got(response.status, response.headers, content)
    finally:
        connection.close()


def message(text: str = "Hello", **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **more}

"""A request as a script sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from multidict import CIMultiDict

_SUMMARY_ASKS = (
    "create a detailed summary",
    "create a summary",
    "summarize the conversation",
    "summary of the conversation",
)


@dataclass(frozen=True)
class RequestView:
    """One request: what was sent, and the readings of it that scripts choose by.

    `body` is empty and `json` is {} for requests without a JSON object. `number` counts the requests of this
    upstream from 1.
    """

    method: str
    target: str
    raw_headers: Sequence[tuple[str, str]]
    body: bytes = field(repr=False)
    number: int = 0
    request_id: str = ""

    @cached_property
    def headers(self) -> CIMultiDict[str]:
        """The headers, looked up without regard to case."""
        return CIMultiDict(self.raw_headers)

    @cached_property
    def path(self) -> str:
        """The path without its query."""
        return self.target.partition("?")[0]

    @cached_property
    def query(self) -> dict[str, str]:
        """The query parameters; the last one wins where a name is repeated."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object, {} when it is none."""
        try:
            decoded = msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return {}
        return decoded if isinstance(decoded, dict) else {}

    @property
    def model(self) -> str:
        """The model asked for."""
        return str(self.json.get("model", ""))

    @property
    def stream(self) -> bool:
        """Whether the reply is to be streamed."""
        return self.json.get("stream") is True

    @property
    def credential(self) -> str | None:
        """The API key or bearer token, wherever it was put."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return self.headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else None) or None

    @property
    def session(self) -> str | None:
        """The client's session: the Claude Code header, else the one in `metadata.user_id`."""
        named = self.headers.get("x-claude-code-session-id")
        return named or _session_in((self.json.get("metadata") or {}).get("user_id"))

    @property
    def agent(self) -> str | None:
        """The sub-agent's id, None for the main loop."""
        return self.headers.get("x-claude-code-agent-id")

    @cached_property
    def role(self) -> str:
        """main, subagent, compaction or side; by the client's hint header where it sends one."""
        hint = self.headers.get("x-claude-code-request-class")
        if hint:
            return hint
        if any(phrase in self._last_block for phrase in _SUMMARY_ASKS):
            return "compaction"
        if self.agent:
            return "subagent"
        return "main" if self.json.get("tools") else "side"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of the request."""
        listed = self.json.get("messages")
        return [m for m in listed if isinstance(m, dict)] if isinstance(listed, list) else []

    @cached_property
    def last_text(self) -> str:
        """The last text the user sent; empty when the last user message is only tool results."""
        for message in reversed(self.messages):
            if message.get("role") == "user":
                return "\n".join(b.get("text", "") for b in _blocks(message) if b.get("type") == "text")
        return ""

    @property
    def _last_block(self) -> str:
        for message in reversed(self.messages):
            if message.get("role") == "user":
                blocks = _blocks(message)
                return str(blocks[-1].get("text", "")).lower() if blocks else ""
        return ""

    @cached_property
    def first_text(self) -> str:
        """All text of the first user message, joined by line ends."""
        for message in self.messages:
            if message.get("role") == "user":
                return "\n".join(b.get("text", "") for b in _blocks(message) if b.get("type") == "text")
        return ""

    def tool_results(self) -> dict[str, Any]:
        """The content of every tool result in the conversation, by tool_use id."""
        return {b["tool_use_id"]: b.get("content") for b in self._all() if b.get("type") == "tool_result"}

    def tool_uses(self) -> list[dict[str, Any]]:
        """Every tool_use block in the conversation, oldest first."""
        return [b for b in self._all() if b.get("type") == "tool_use"]

    def _all(self) -> Iterator[dict[str, Any]]:
        for message in self.messages:
            yield from _blocks(message)


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [b for b in content if isinstance(b, dict)] if isinstance(content, list) else []


def _session_in(user_id: object) -> str | None:
    if not isinstance(user_id, str):
        return None
    if "_session_" in user_id and not user_id.startswith("{"):
        return user_id.rpartition("_session_")[2]
    try:
        decoded = msgspec.json.decode(user_id)
    except msgspec.DecodeError:
        return None
    found = decoded.get("session_id") if isinstance(decoded, dict) else None
    return found if isinstance(found, str) else None

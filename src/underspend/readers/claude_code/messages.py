"""The messages of a conversation as they go over the wire, put together from a transcript's entries.

The client keeps a message apart from its entries only where it differs from them; every other one it names by its hash:
SHA-256 over its JSON with sorted keys.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from underspend.formats.lenient import Json, items


@dataclass(slots=True)
class Said:
    """One message: an assistant's by its id, or a user's, whose consecutive tool results are one."""

    role: str
    id: str | None
    content: str | list[Json]
    number: int

    def forms(self) -> Iterator[Json]:
        """The ways in which it may stand in a request."""
        yield {"role": self.role, "content": self.content}
        if isinstance(self.content, str):
            yield {"role": self.role, "content": [{"type": "text", "text": self.content}]}
            return
        if len(self.content) == 1 and self.content[0].get("type") == "text":
            yield {"role": self.role, "content": self.content[0].get("text")}
        if any(block.get("type") == "thinking" for block in self.content):
            yield {"role": self.role, "content": [item for item in self.content if item.get("type") != "thinking"]}


@dataclass(slots=True)
class Conversation:
    """The messages of a transcript, in order."""

    said: list[Said] = field(default_factory=list)
    _by_id: dict[str, Said] = field(default_factory=dict)

    def take(self, role: str, message_id: str | None, content: object) -> None:
        """One more entry."""
        if role == "assistant" and message_id is not None and message_id in self._by_id:
            before = self._by_id[message_id].content
            if isinstance(before, list):
                before.extend(items(content))
            return
        last = self.said[-1] if self.said else None
        if role == "user" and _results(content) and last is not None and last.role == "user" and _results(last.content):
            if isinstance(last.content, list):
                last.content.extend(items(content))
            return
        said = Said(role, message_id, content if isinstance(content, str) else items(content), len(self.said))
        self.said.append(said)
        if role == "assistant" and message_id is not None:
            self._by_id[message_id] = said

    def find(self, name: str, used: set[int], before: int) -> tuple[int, Json] | None:
        """The message with a hash, among the first so many and not among those already used."""
        for said in reversed(self.said[:before]):
            if said.number in used:
                continue
            for form in said.forms():
                if hash_of(form) == name:
                    return said.number, form
        return None


def _results(content: object) -> bool:
    blocks = items(content)
    return bool(blocks) and all(block.get("type") == "tool_result" for block in blocks)


def hash_of(message: Json) -> str:
    """The name by which the client knows a message."""
    text = json.dumps(message, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()

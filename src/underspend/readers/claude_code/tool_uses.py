"""A `tool_use` block → a row of `ToolUse`: which tool, on what, how large an input."""

from __future__ import annotations

from typing import Any

import msgspec
import xxhash

from underspend.core.history import ToolUse
from underspend.formats.lenient import count
from underspend.readers.claude_code.shapes import Piece, ToolInput, input_of

SPAWNING = frozenset({"Task", "Agent"})
"""Tools that start an agent."""

_LONGEST_TARGET = 400
_FIRST_LOOK = {
    "Bash": "command",
    "Edit": "file_path",
    "Glob": "pattern",
    "Grep": "pattern",
    "Task": "subagent_type",
    "Agent": "subagent_type",
    "Skill": "skill",
    "WebFetch": "url",
    "WebSearch": "query",
    "Write": "file_path",
}
_ANY_ORDER = ("file_path", "notebook_path", "command", "pattern", "query", "url", "skill", "subagent_type", "path")


def tool_use(piece: Piece, spawned: dict[str, Any]) -> Any:
    """The use that a block records; one that starts an agent is put in `spawned` by its prompt."""
    given = input_of(piece.input)
    name = piece.name or "unknown"
    first, lines = (count(given.offset), count(given.limit)) if name == "Read" else (0, 0)
    use = ToolUse(piece.id or "", name, _target(name, given), first, lines, characters(piece.input))
    if name in SPAWNING and given.prompt:
        spawned[given.prompt] = use
    return use


def characters(raw: msgspec.Raw) -> int:
    """The characters of some JSON."""
    data = bytes(raw)
    return len(data) if data.isascii() else len(data.decode("utf-8", "replace"))


def _target(name: str, given: ToolInput) -> str:
    found: str = getattr(given, _FIRST_LOOK.get(name, "file_path")) or ""
    if not found:
        found = next((value for field in _ANY_ORDER if (value := getattr(given, field))), "")
    if len(found) <= _LONGEST_TARGET:
        return found
    # Long commands stay apart by their digest without being kept whole.
    return f"{found[:_LONGEST_TARGET]}… {xxhash.xxh3_64_hexdigest(found.encode('utf-8', 'replace'))}"

"""A `tool_use` block → `ToolUse`: which tool, on what, how large an input."""

from __future__ import annotations

import msgspec
import xxhash

from underspend.core.history import ToolUse
from underspend.formats.lenient import count, text
from underspend.readers.claude_code.shapes import Piece, ToolInput, input_of

SPAWNING = frozenset({"Task", "Agent"})
"""Tools that start an agent."""

_LONGEST_TARGET = 400
_FIRST_LOOK = {
    "Bash": "command",
    "Glob": "pattern",
    "Grep": "pattern",
    "Task": "subagent_type",
    "Agent": "subagent_type",
    "Skill": "skill",
    "WebFetch": "url",
    "WebSearch": "query",
}
_ANY_ORDER = ("file_path", "notebook_path", "command", "pattern", "query", "url", "skill", "subagent_type", "path")


def tool_use(piece: Piece) -> ToolUse:
    """The use that a block records."""
    given = input_of(piece.input)
    name = text(piece.name) or "unknown"
    reads = name == "Read"
    return ToolUse(
        id=text(piece.id) or "",
        name=name,
        target=_target(name, given),
        first_line=count(given.offset) if reads else 0,
        line_count=count(given.limit) if reads else 0,
        size=characters(piece.input),
    )


def prompt_digest(piece: Piece) -> int:
    """A digest of the prompt given to an agent, equal to that of the entry in which the agent gets it."""
    return xxhash.xxh3_64_intdigest(bytes(input_of(piece.input).prompt))


def characters(raw: msgspec.Raw) -> int:
    """The characters of some JSON."""
    data = bytes(raw)
    return len(data) if data.isascii() else len(data.decode("utf-8", "replace"))


def _target(name: str, given: ToolInput) -> str:
    named = text(getattr(given, _FIRST_LOOK[name])) if name in _FIRST_LOOK else None
    found = named or next((value for field in _ANY_ORDER if (value := text(getattr(given, field)))), "")
    if len(found) <= _LONGEST_TARGET:
        return found
    # Long commands stay apart by their digest without being kept whole.
    return f"{found[:_LONGEST_TARGET]}… {xxhash.xxh3_64_hexdigest(found.encode('utf-8', 'replace'))}"

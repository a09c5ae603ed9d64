"""User entries → the prompts and tool results in them, and what local commands did."""

from __future__ import annotations

import re

import msgspec
import xxhash

from underspend.core.history import MarkKind, Place, Result, Typed
from underspend.formats.lenient import text
from underspend.readers.claude_code.shapes import Line, Piece, object_in, pieces_of, string_in

_COMMAND = re.compile(r"<command-name>/?([^<]*)</command-name>")
_SET_MODEL = re.compile(r"Set model to (?:\x1b\[\d+m)?(.*?)(?:\x1b\[\d+m)?(?:\s*\(|</|$)")
_NO_PROMPT = ("<local-command-", "<bash-stdout>", "<bash-stderr>", "[Request interrupted by user", "Caveat:")
_LOCAL = {
    "add-dir", "agents", "clear", "compact", "config", "context", "cost", "doctor", "effort", "exit", "export", "fast",
    "help", "hooks", "ide", "login", "logout", "mcp", "memory", "model", "permissions", "plugin", "quit", "rename",
    "resume", "rewind", "skills", "stats", "status", "statusline", "tasks", "theme", "usage", "vim",
}  # fmt: skip
_BY_PROGRAM = {"sdk", "system"}


def result_of(piece: Piece, *, at: int, place: Place) -> Result:
    """A `tool_result` block, by size and digest."""
    raw = bytes(piece.content)
    size, images = _measured(piece.content, raw)
    return Result(
        at=at,
        place=place,
        use_id=text(piece.tool_use_id) or "",
        size=size,
        digest=xxhash.xxh3_64_digest(raw) if raw else b"",
        is_error=piece.is_error is True,
        images=images,
    )


def _measured(content: msgspec.Raw, raw: bytes) -> tuple[int, int]:
    if raw.startswith(b'"'):
        return len(string_in(content)), 0
    if not raw.startswith(b"["):
        return 0, 0
    pieces = pieces_of(content)
    images = sum(1 for piece in pieces if piece.type == "image")
    return sum(len(string_in(piece.text)) for piece in pieces if piece.text), images


def prompt_text(content: msgspec.Raw) -> str | None:
    """The text of a prompt; None where the entry holds tool results or nothing."""
    if memoryview(content)[:1] == b'"':
        return string_in(content)
    pieces = pieces_of(content)
    if not pieces or any(piece.type == "tool_result" for piece in pieces):
        return None
    return "\n".join(string_in(piece.text) for piece in pieces if piece.text)


def command_of(prompt: str) -> str | None:
    """The slash command that a prompt is."""
    found = _COMMAND.search(prompt) if prompt.startswith("<command-") else None
    return found.group(1).strip() if found else None


def noted(prompt: str) -> tuple[MarkKind, str] | None:
    """What a local command did that bears on cost."""
    if command_of(prompt) == "clear":
        return MarkKind.CLEAR, ""
    if prompt.startswith("<local-command-stdout>"):
        found = _SET_MODEL.search(prompt)
        if found:
            return MarkKind.MODEL_SET, found.group(1).strip()
    return None


def typed(line: Line, prompt: str, *, at: int, place: Place, turn: str | None) -> Typed | None:
    """The prompt that begins a turn; None for what only the client says to itself."""
    if line.meta is True or line.summary is True or prompt.startswith(_NO_PROMPT) or command_of(prompt) in _LOCAL:
        return None
    return Typed(at=at, place=place, turn=turn, size=len(prompt), by_person=_by_person(line, prompt))


def _by_person(line: Line, prompt: str) -> bool:
    if line.sidechain is True or prompt.startswith("<task-notification>"):
        return False
    origin = text(object_in(line.origin).get("kind")) if line.origin else None
    if origin is not None and origin != "human":
        return False
    return line.prompt_source not in _BY_PROGRAM if isinstance(line.prompt_source, str) else True

"""User entries → the prompts and tool results in them, and what local commands did."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import xxhash

from underspend.core.history import MarkKind, Result, Typed
from underspend.formats.lenient import text
from underspend.readers.claude_code.records import row
from underspend.readers.claude_code.shapes import Line, Message, Piece, object_in, pieces_of, string_in

_Result = row(Result)
_Typed = row(Typed)
_COMMAND = re.compile(r"<command-name>/?([^<]*)</command-name>")
_SET_MODEL = re.compile(r"Set model to (?:\x1b\[\d+m)?(.*?)(?:\x1b\[\d+m)?(?:\s*\(|</|$)")
_NO_PROMPT = ("<local-command-", "<bash-stdout>", "<bash-stderr>", "[Request interrupted by user", "Caveat:")
_LOCAL = {
    "add-dir", "agents", "clear", "compact", "config", "context", "cost", "doctor", "effort", "exit", "export", "fast",
    "help", "hooks", "ide", "login", "logout", "mcp", "memory", "model", "permissions", "plugin", "quit", "rename",
    "resume", "rewind", "skills", "stats", "status", "statusline", "tasks", "theme", "usage", "vim",
}  # fmt: skip
_BY_PROGRAM = {"sdk", "system"}


def result_of(piece: Piece, at: int, place: Any) -> Any:
    """A `tool_result` block as a row of `Result`, by size and digest."""
    size, images = _measured(piece.content)
    digest = xxhash.xxh3_64_digest(memoryview(piece.content)) if piece.content else b""
    return _Result(at, place, piece.tool_use_id or "", size, digest, piece.is_error is True, images)


def _measured(content: msgspec.Raw) -> tuple[int, int]:
    first = bytes(memoryview(content)[:1])
    if first == b'"':
        return len(string_in(content)), 0
    if first != b"[":
        return 0, 0
    pieces = pieces_of(content)
    images = sum(1 for piece in pieces if piece.type == "image")
    return sum(len(piece.text) for piece in pieces if piece.text), images


def prompt_text(message: Message) -> str | None:
    """The text of a prompt; None where the entry holds tool results or nothing."""
    if isinstance(message.content, str):
        return message.content
    if not message.content or any(piece.type == "tool_result" for piece in message.content):
        return None
    return "\n".join(piece.text for piece in message.content if piece.text)


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


def typed(line: Line, prompt: str, at: int, place: Any, turn: str | None) -> Any:
    """The prompt that begins a turn, as a row of `Typed`; None for what only the client says to itself."""
    if line.meta is True or line.summary is True or prompt.startswith(_NO_PROMPT) or command_of(prompt) in _LOCAL:
        return None
    return _Typed(at, place, turn, len(prompt), _by_person(line, prompt))


def _by_person(line: Line, prompt: str) -> bool:
    if line.sidechain is True or prompt.startswith("<task-notification>"):
        return False
    origin = text(object_in(line.origin).get("kind")) if line.origin else None
    if origin is not None and origin != "human":
        return False
    return line.prompt_source not in _BY_PROGRAM

"""User entries → the prompts and tool results in them, and what local commands did."""

from __future__ import annotations

import re
from typing import Any

import xxhash

from underspend.core.history import MarkKind, Result, Typed
from underspend.formats.lenient import text
from underspend.readers.claude_code.shapes import Inner, Line, Message, Piece, object_in

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
    content = piece.content
    if isinstance(content, str):
        return Result(at, place, piece.tool_use_id or "", len(content), _digest(content), piece.is_error is True)
    blocks = content or []
    images = sum(1 for block in blocks if block.type == "image")
    size = sum(len(block.text) for block in blocks if block.text)
    return Result(at, place, piece.tool_use_id or "", size, _digest_of(blocks), piece.is_error is True, images)


def _digest(text: str) -> bytes:
    return xxhash.xxh3_64_digest(text.encode("utf-8", "replace")) if text else b""


def _digest_of(blocks: list[Inner]) -> bytes:
    """One text is the same whether it stands alone or in a list."""
    if len(blocks) == 1 and blocks[0].text is not None and not blocks[0].source:
        return _digest(blocks[0].text)
    state = xxhash.xxh3_64()
    for block in blocks:
        state.update(f"{block.type}\0{block.text or ''}\0".encode("utf-8", "replace"))
        state.update(bytes(block.source))
    return state.digest() if blocks else b""


def prompt_text(message: Message) -> str | None:
    """The text of a prompt; None where the entry holds tool results or nothing."""
    if isinstance(message.content, str):
        return message.content
    if not message.content:
        return None
    for piece in message.content:
        if piece.type == "tool_result":
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
    return Typed(at, place, turn, len(prompt), _by_person(line, prompt))


def _by_person(line: Line, prompt: str) -> bool:
    if line.sidechain is True or prompt.startswith("<task-notification>"):
        return False
    origin = text(object_in(line.origin).get("kind")) if line.origin else None
    if origin is not None and origin != "human":
        return False
    return line.prompt_source not in _BY_PROGRAM

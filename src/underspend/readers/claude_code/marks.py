"""What the client noted beside the conversation → marks: compactions, errors, changes of tools, model and mode."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from underspend.core.history import MarkKind
from underspend.formats.lenient import Json, count, obj, text
from underspend.readers.claude_code.shapes import Line, loads, object_in


@dataclass(frozen=True, slots=True)
class Noted:
    """A mark that is still without its place."""

    kind: MarkKind
    detail: str = ""
    tokens_before: int = 0
    tokens_after: int = 0


def of_system(line: Line) -> Noted | None:
    """What a `system` entry notes."""
    if line.subtype == "compact_boundary":
        data = object_in(line.compaction)
        before, after = count(data.get("preTokens")), count(data.get("postTokens"))
        return Noted(MarkKind.COMPACTION, text(data.get("trigger")) or "", before, after)
    if line.subtype == "microcompact_boundary":
        data = object_in(line.microcompaction)
        before = count(data.get("preTokens"))
        after = max(0, before - count(data.get("tokensSaved")))
        return Noted(MarkKind.MICROCOMPACTION, text(data.get("trigger")) or "", before, after)
    if line.subtype == "api_error":
        return Noted(MarkKind.API_ERROR, error_name(loads(line.error)))
    return None


def error_name(error: object) -> str:
    """The API's own word for an error, else its status, else what the client wrote."""
    if isinstance(error, str):
        return error
    data = obj(error)
    inner = data
    while isinstance(inner.get("error"), dict):
        inner = inner["error"]
    named = text(inner.get("type"))
    named = named if named != "error" else None
    named = named or _named_in(text(data.get("message")) or "")
    if named:
        return named
    if data.get("isNetworkDown") is True or obj(data.get("connection")):
        return "connection"
    status = count(data.get("status"))
    return str(status) if status else text(data.get("code")) or "unknown"


_NAMED = re.compile(r'"type"\s*:\s*"([a-z_]+_error)"')


def _named_in(message: str) -> str | None:
    found = _NAMED.search(message)
    return found.group(1) if found else None


def of_hook(name: object) -> Noted | None:
    """What the name of a session hook tells about how the process began."""
    if name == "SessionStart:resume":
        return Noted(MarkKind.RESUME, "resume")
    if name == "SessionStart:clear":
        return Noted(MarkKind.CLEAR, "")
    return None


_DELTAS = {
    "deferred_tools_delta": ("addedNames", "removedNames", "tools"),
    "mcp_instructions_delta": ("addedNames", "removedNames", "mcp"),
    "agent_listing_delta": ("addedTypes", "removedTypes", "agents"),
}


@dataclass(slots=True)
class Announced:
    """What was announced to the model so far, so that only changes are marked and not every repetition."""

    listed: dict[str, set[str]] = field(default_factory=dict)
    model: str | None = None
    mode: str | None = None

    def of_attachment(self, data: Json) -> Noted | None:
        """What an `attachment` entry changes."""
        kind = text(data.get("type")) or ""
        if kind == "model":
            return self.set_model(text(obj(data.get("identity")).get("modelId")))
        if kind not in _DELTAS:
            return None
        added_name, removed_name, label = _DELTAS[kind]
        before = self.listed.get(label)
        known = before or set()
        added, removed = _names(data.get(added_name)) - known, _names(data.get(removed_name)) & known
        self.listed[label] = (known | added) - removed
        if before is None or not (added or removed):
            return None
        changes = [*(f"+{name}" for name in sorted(added)), *(f"-{name}" for name in sorted(removed))]
        return Noted(MarkKind.TOOLS_CHANGED, f"{label}: {' '.join(changes)}")

    def set_model(self, model: str | None) -> Noted | None:
        """A model announced; a mark where it is another than before."""
        before, self.model = self.model, model or self.model
        return Noted(MarkKind.MODEL_SET, model) if model and before and model != before else None

    def set_mode(self, mode: object) -> Noted | None:
        """A permission mode noted; a mark where it is another than before."""
        name = text(mode)
        before, self.mode = self.mode, name or self.mode
        return Noted(MarkKind.PERMISSION_MODE, name) if name and before and name != before else None


def _names(value: object) -> set[str]:
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()

"""The assistant's lines of one file → its replies: one per message id, however many lines and copies it has."""

from __future__ import annotations

from dataclasses import dataclass, field

import xxhash

from underspend.core.history import Answered, Place, ToolUse
from underspend.core.usage import Metered
from underspend.formats.lenient import count, obj, text
from underspend.readers.claude_code import tool_uses, usage
from underspend.readers.claude_code.records import Part
from underspend.readers.claude_code.shapes import Line, Message, Piece, loads, object_in, pieces_of, string_in

_CHARS_PER_TOKEN_TENTHS = 36
_SIGNATURE_PER_THINKING_TENTHS = 13


@dataclass(slots=True)
class Reply:
    """One reply while its lines are being read."""

    message_id: str
    at: int
    place: Place
    nested: bool
    part: Part
    version: str | None = None
    skill: str | None = None
    foreign: bool = False
    metered: Metered | None = None
    turn: str | None = None
    tools: dict[int, ToolUse] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    last_usage: bytes = b""
    text_chars: int = 0
    thinking_chars: int = 0
    request_id: str | None = None
    asked_model: str | None = None
    effort: str | None = None
    miss: tuple[str | None, int] = (None, 0)

    def take(self, line: Line, message: Message, spawned: dict[int, ToolUse]) -> None:
        """Learn from one more of its lines. `spawned` takes up the agents that it starts, by their prompt's digest."""
        self.version = self.version or text(line.version)
        self.skill = self.skill or text(line.skill)
        self.request_id = self.request_id or text(line.request)
        self.asked_model = self.asked_model or text(line.asked_model)
        self.effort = self.effort or text(line.effort)
        self._measure(message)
        if message.diagnostics:
            self._diagnose(message)
        for piece in pieces_of(message.content):
            self._count(piece, spawned)

    def _measure(self, message: Message) -> None:
        raw = bytes(message.usage)
        stop = text(message.stop_reason)
        if raw == self.last_usage and (self.metered is None or stop is None or stop == self.metered.stop_reason):
            return
        self.last_usage = raw
        found = loads(raw)
        if not isinstance(found, dict):
            return
        line = usage.metered(found, model=text(message.model), message_id=text(message.id), stop_reason=stop)
        self.metered = line if self.metered is None else usage.larger(self.metered, line)

    def _diagnose(self, message: Message) -> None:
        reason = obj(object_in(message.diagnostics).get("cache_miss_reason"))
        if reason:
            self.miss = (text(reason.get("type")), count(reason.get("cache_missed_input_tokens")))

    def _count(self, piece: Piece, spawned: dict[int, ToolUse]) -> None:
        content = piece.text or piece.thinking or piece.input
        mark = xxhash.xxh3_64_intdigest(bytes(content) + bytes(piece.signature) + str(piece.id).encode(errors="replace"))
        if mark in self.seen:
            return
        self.seen.add(mark)
        if piece.type == "text":
            self.text_chars += len(string_in(piece.text))
        elif piece.type == "thinking":
            thinking = len(string_in(piece.thinking))
            # Newer clients keep the signature alone, which grows with the thinking that it seals.
            self.thinking_chars += thinking or len(piece.signature) * 10 // _SIGNATURE_PER_THINKING_TENTHS
        elif piece.type in {"tool_use", "server_tool_use", "mcp_tool_use"}:
            self.tools[mark] = use = tool_uses.tool_use(piece)
            if use.name in tool_uses.SPAWNING:
                spawned[tool_uses.prompt_digest(piece)] = use

    def answered(self) -> Answered | None:
        """The whole reply; None where no line had its usage."""
        if self.metered is None:
            return None
        finalised = self.metered.stop_reason is not None
        return Answered(
            message_id=self.message_id,
            at=self.at,
            place=self.place,
            metered=self.metered,
            request_id=self.request_id,
            asked_model=self.asked_model,
            effort=self.effort,
            version=self.version,
            turn=self.turn,
            finalised=finalised,
            unseen_output=0 if finalised else max(0, self.estimate() - self.metered.usage.output),
            tools=tuple(self.tools.values()),
            text_chars=self.text_chars,
            thinking_chars=self.thinking_chars,
            skill=self.skill,
            miss_reason=self.miss[0],
            missed_tokens=self.miss[1],
            nested=self.nested,
        )

    def estimate(self) -> int:
        """The tokens that the reply's content amounts to."""
        chars = self.text_chars + sum(use.size for use in self.tools.values())
        if self.metered is not None and self.metered.thinking_tokens:
            return -(-chars * 10 // _CHARS_PER_TOKEN_TENTHS) + self.metered.thinking_tokens
        return -(-(chars + self.thinking_chars) * 10 // _CHARS_PER_TOKEN_TENTHS)


def key_of(line: Line, message: Message, place: Place) -> str:
    """What makes a reply the same one wherever it is copied: its message id, or the next best thing."""
    found = text(message.id)
    if found is not None:
        return found
    request = text(line.request)
    return f"request:{request}" if request else f"entry:{text(line.uuid) or f'{place.file}:{place.line}'}"

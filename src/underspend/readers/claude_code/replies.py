"""The assistant's lines of one file → its replies: one per message id, however many lines and copies it has."""

from __future__ import annotations

from typing import Any

import msgspec

from underspend.core.history import Answered
from underspend.formats.lenient import count, obj, text
from underspend.readers.claude_code import tool_uses
from underspend.readers.claude_code.records import Part
from underspend.readers.claude_code.shapes import Line, Message, Piece, object_in
from underspend.readers.claude_code.usage import Bill

_CHARS_PER_TOKEN_TENTHS = 36
_SIGNATURE_PER_THINKING_TENTHS = 13
_USES = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})


class Reply(msgspec.Struct, gc=False):
    """One reply while its lines are being read."""

    message_id: str
    at: int
    place: Any
    nested: bool
    part: Part
    turn: str | None
    version: str | None = None
    skill: str | None = None
    foreign: bool = False
    bill: Bill = msgspec.field(default_factory=Bill)
    tools: list[Any] = msgspec.field(default_factory=list)
    used: int = 0
    text_chars: int = 0
    thinking_chars: int = 0
    request_id: str | None = None
    asked_model: str | None = None
    effort: str | None = None
    miss: tuple[str | None, int] = (None, 0)

    def take(self, line: Line, message: Message) -> None:
        """Learn what one more of its lines says about the whole."""
        if self.version is None:
            self.version, self.skill = line.version, line.skill
            self.asked_model, self.effort = line.asked_model, line.effort
        if self.request_id is None:
            self.request_id = line.request
        self.bill.take(message)
        if message.diagnostics:
            self._diagnose(message)

    def _diagnose(self, message: Message) -> None:
        reason = obj(object_in(message.diagnostics).get("cache_miss_reason"))
        if reason:
            self.miss = (text(reason.get("type")), count(reason.get("cache_missed_input_tokens")))

    def add(self, piece: Piece, spawned: dict[str, Any]) -> None:
        """Count one content block. `spawned` takes up the agents that it starts, by their prompt."""
        if piece.text is not None:
            self.text_chars += len(piece.text)
        elif piece.type in _USES:
            use = tool_uses.tool_use(piece, spawned)
            self.tools.append(use)
            self.used += use.size
        elif piece.thinking or piece.signature:
            # Newer clients keep the signature alone, which grows with the thinking that it seals.
            sealed = len(piece.signature or "") * 10 // _SIGNATURE_PER_THINKING_TENTHS
            self.thinking_chars += len(piece.thinking or "") or sealed

    def answered(self) -> Any:
        """The whole reply, as a row of `Answered`; None where no line had its usage."""
        if self.bill.last is None:
            return None
        metered = self.bill.metered(self.message_id)
        finalised = metered.stop_reason is not None
        return Answered(
            self.message_id,
            self.at,
            self.place,
            metered,
            self.request_id,
            self.asked_model,
            self.effort,
            self.version,
            self.turn,
            finalised,
            0 if finalised else max(0, self.estimate() - metered.reported.output),
            tuple(self.tools),
            self.text_chars,
            self.thinking_chars,
            self.skill,
            self.miss[0],
            self.miss[1],
            self.nested,
        )

    def estimate(self) -> int:
        """The tokens that the reply's content amounts to."""
        chars = self.text_chars + self.used
        if self.bill.thinking:
            return -(-chars * 10 // _CHARS_PER_TOKEN_TENTHS) + self.bill.thinking
        return -(-(chars + self.thinking_chars) * 10 // _CHARS_PER_TOKEN_TENTHS)


def key_of(line: Line, message: Message, place: Any) -> str:
    """What makes a reply the same one wherever it is copied: its message id, or the next best thing."""
    if message.id:
        return message.id
    return f"request:{line.request}" if line.request else f"entry:{line.uuid or f'{place.file}:{place.line}'}"

"""The `input` of a Responses request → messages. Items of one side that follow each other are one message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from underspend.formats.dialects.neutral import Message, Part, Refusal, Text, ToolResult, ToolUse
from underspend.formats.dialects.responses_content import cannot, read_content
from underspend.formats.dialects.responses_reasoning import read_reasoning, tool_signature
from underspend.formats.lenient import Json, items, text

_Role = Literal["user", "assistant", "system"]
_FRAME = ("type", "id", "status")
_ROLES: dict[str, _Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


@dataclass(slots=True)
class Conversation:
    """What the input says: system words before everything else, the messages, and what was left out of it."""

    system: list[Text] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


def read_input(given: object) -> Conversation:
    """A request's input: a string, or a list of items.

    Raises CannotCarryError for what refers to something kept at OpenAI, ValueError for what is no input.
    """
    if isinstance(given, str):
        return Conversation(messages=[Message("user", (Text(given),))])
    if not isinstance(given, list):
        raise ValueError("input is neither a string nor a list")  # noqa: TRY004  # the contract names ValueError
    reader = _Reader()
    for item in items(given):
        reader.take(item)
    return reader.whole()


class _Reader:
    def __init__(self) -> None:
        self._turns: list[tuple[_Role, list[Part]]] = []
        self._names: dict[str, str] = {}
        self._signature = ""
        self._dropped: dict[str, None] = {}

    def take(self, item: Json) -> None:
        """One item."""
        match text(item.get("type")) or "message":
            case "message":
                self._message(item)
            case "reasoning":
                self._reasoning(item)
            case "function_call":
                self._call(item)
            case "function_call_output":
                self._output(item)
            case "item_reference":
                raise cannot("item_reference", "the item is kept at OpenAI", "Send the item itself.")
            case kind:
                self._dropped[f"input of the type {kind}: it belongs to a tool that only OpenAI has"] = None

    def whole(self) -> Conversation:
        """The messages, and the system words that stood before them all."""
        found = Conversation(dropped=list(self._dropped))
        for role, parts in self._turns:
            if role == "system" and not found.messages:
                found.system += [part for part in parts if isinstance(part, Text)]
            else:
                found.messages.append(Message(role, tuple(parts)))
        return found

    def _message(self, item: Json) -> None:
        role = _ROLES.get(text(item.get("role")) or "")
        if role is None:
            raise ValueError(f"a message of the role {item.get('role')!r}")
        parts = read_content(item.get("content"))
        self._note(item, {*_FRAME, "role", "content"}, "a message")
        for piece in items(item.get("content")):
            self._note({name: piece.get(name) for name in ("annotations", "logprobs")}, set(), "text")
        if role == "system" and any(not isinstance(part, Text) for part in parts):
            raise cannot("a picture or file of the developer", "system words are text", "Send it as the user.")
        self._add(role, parts)

    def _reasoning(self, item: Json) -> None:
        signature = tool_signature(item)
        if signature is None:
            self._add("assistant", [read_reasoning(item)])
        else:
            self._signature = signature

    def _call(self, item: Json) -> None:
        use = ToolUse(
            text(item.get("call_id")) or text(item.get("id")) or "",
            text(item.get("name")) or "",
            text(item.get("arguments")) or "{}",
        )
        self._names[use.id] = use.name
        self._note(item, {*_FRAME, "call_id", "name", "arguments"}, "a function call")
        self._add("assistant", [replace(use, signature=self._signature)])
        self._signature = ""

    def _output(self, item: Json) -> None:
        call = text(item.get("call_id")) or ""
        self._note(item, {*_FRAME, "call_id", "output", "name"}, "a function's output")
        parts = [part if not isinstance(part, Refusal) else Text(part.text) for part in read_content(_output_of(item))]
        self._add("user", [ToolResult(call, tuple(parts), name=self._names.get(call, ""))])

    def _note(self, holder: Json, known: set[str], what: str) -> None:
        """Say which members of something are left out."""
        for name, value in holder.items():
            if value and name not in known:
                self._dropped[f"{name} of {what}"] = None

    def _add(self, role: _Role, parts: Sequence[Part]) -> None:
        if self._turns and self._joins(role):
            self._turns[-1][1].extend(parts)
        else:
            self._turns.append((role, list(parts)))

    def _joins(self, role: _Role) -> bool:
        """Whether this side's last message goes on: a reply's items always, results up to what the user says."""
        before, parts = self._turns[-1]
        if role != before or role == "system":
            return False
        return role == "assistant" or all(isinstance(part, ToolResult) for part in parts)


def _output_of(item: Json) -> object:
    given = item.get("output")
    return given if isinstance(given, (str, list)) else ""

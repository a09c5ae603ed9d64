"""Messages → Gemini's `contents`.

Thought signatures go back to where they came from. Gemini 3 refuses a function call without one, so the first call of
a reply that has none (another provider's, or one whose client could not keep it) gets the value that Google documents
for exactly that: https://ai.google.dev/gemini-api/docs/thought-signatures#faqs (2026-05).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.left_out import LeftOut
from underspend.formats.dialects.limits import limits
from underspend.formats.dialects.neutral import (
    Abilities,
    Document,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from underspend.formats.dialects.tool_labels import sent_name
from underspend.formats.lenient import Json, decode

DIALECT = "gemini"
NO_SIGNATURE = "skip_thought_signature_validator"
_ROLES = {"user": "user", "assistant": "model", "system": "user"}


class Contents:
    """Writes messages, and says in `left_out` what of them is not sent. Raises CannotCarryError for what must be."""

    def __init__(self, abilities: Abilities, left_out: LeftOut) -> None:
        self._abilities = abilities
        self._left_out = left_out
        self._names: dict[str, str] = {}
        self._places: dict[str, int] = {}

    def write(self, messages: Sequence[Message]) -> list[Json]:
        """One content for each message that says anything."""
        contents = [{"role": _ROLES[message.role], "parts": self._parts(message)} for message in messages]
        return [content for content in contents if content["parts"]]

    def _parts(self, message: Message) -> list[Json]:
        if message.role == "assistant":
            return self._reply(message.parts)
        if message.role == "system":
            self._left_out.note("the rank of a system message amid the others", "it is sent as the user's")
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        # Where calls have no ids, the order tells which result is whose.
        results.sort(key=lambda result: self._places.get(result.id, len(self._places)))
        said = [self._result(result) for result in results]
        # A result is an object of words; its pictures and files stand behind the results.
        pieces = [piece for result in results for piece in result.parts if not isinstance(piece, Text)]
        for part in (*pieces, *message.parts):
            if isinstance(part, (Text, Image, Document)):
                said += self._piece(part)
        return said

    def _reply(self, parts: tuple[Part, ...]) -> list[Json]:
        said: list[Json] = []
        signed = False
        for part in parts:
            match part:
                case ToolUse():
                    signature = part.signature or ("" if signed else NO_SIGNATURE)
                    said.append(self._call(part, signature))
                    signed = True
                case Thinking():
                    said += self._thought(part)
                case Refusal():
                    said += [{"text": part.text}] if part.text else []
                case Text() | Image() | Document():
                    said += self._piece(part)
                case ToolResult():
                    raise _cannot("a tool's result in a reply", "the user gives results", "Send it as the user.")
        return said

    def _call(self, use: ToolUse, signature: str) -> Json:
        name = name_of(use.name)
        self._names[use.id], self._places[use.id] = name, len(self._places)
        self._marked(use.cache)
        try:
            arguments = decode(use.arguments.encode() or b"{}")
        except msgspec.DecodeError:
            arguments = None
        if not isinstance(arguments, dict):
            self._left_out.note("arguments of a tool call that are no object", "they are sent as text")
            arguments = {"arguments": use.arguments}
        call = {"functionCall": {"id": use.id, "name": name, "args": arguments}}
        return {**call, "thoughtSignature": signature} if signature else call

    def _thought(self, thinking: Thinking) -> list[Json]:
        if thinking.dialect != DIALECT or not thinking.signature:
            self._left_out.note("reasoning of another provider, or without its signature")
            return []
        return [{"text": thinking.text, "thought": True, "thoughtSignature": thinking.signature}]

    def _result(self, result: ToolResult) -> Json:
        name = name_of(result.name) if result.name else self._names.get(result.id)
        if not name:
            raise _cannot(
                f"the result of the tool use {result.id}", "no call has that id", "Send the call before its result."
            )
        self._marked(result.cache)
        words = "\n".join(part.text for part in result.parts if isinstance(part, Text))
        response = {"error" if result.is_error else "output": words}
        return {"functionResponse": {"id": result.id, "name": name, "response": response}}

    def _piece(self, part: Text | Image | Document) -> list[Json]:
        self._marked(part.cache)
        match part:
            case Text():
                return [{"text": part.text}] if part.text else []
            case Image():
                if not self._abilities.images:
                    raise self._unable("a picture")
            case Document():
                if part.text:
                    return [{"text": f"{part.title}\n{part.text}" if part.title else part.text}]
                if not self._abilities.documents:
                    raise self._unable("a file")
        if part.data:
            return [{"inlineData": {"mimeType": part.media_type, "data": part.data}}]
        kind = {"mimeType": part.media_type} if part.media_type else {}
        return [{"fileData": {**kind, "fileUri": part.url}}]

    def _marked(self, cache: str | None) -> None:
        if cache:
            self._left_out.note("cache_control", "Gemini caches by itself")

    def _unable(self, what: str) -> CannotCarryError:
        return _cannot(what, f"{self._abilities.model} does not read it", "Ask another model.")


def name_of(name: str) -> str:
    """A tool's name as it is sent: as OpenAI's, which Gemini's longest is no shorter than."""
    return sent_name(name, limits("openai")["tool_name"])


def _cannot(what: str, problem: str, mend: str) -> CannotCarryError:
    return CannotCarryError(what=what, provider="Gemini", problem=problem, mend=mend)

"""Messages → the `input` of a Responses request: every tool call, result and reasoning is an item of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from underspend.formats.dialects.responses_content import cannot, write_cache, write_content
from underspend.formats.dialects.responses_reasoning import DIALECT, reasoning_item
from underspend.formats.dialects.tool_labels import sent_name, short_id
from underspend.formats.lenient import Json

_OPENAI = "OpenAI"
CACHE_MARKS = "cache_control: OpenAI caches by itself"
"""What is said of cache breakpoints, wherever they stood."""


def name_of(name: str) -> str:
    """A tool's name as OpenAI takes it."""
    return sent_name(name, limits("openai")["tool_name"])


def id_of(use: str) -> str:
    """The id of a tool's use as OpenAI takes it."""
    return short_id(use, limits("openai")["tool_id"])


class InputWriter:
    """Writes messages; `dropped` says what was left out. Raises CannotCarryError for what cannot be."""

    def __init__(self, abilities: Abilities) -> None:
        self._abilities = abilities
        self.dropped: dict[str, None] = {}

    def write(self, messages: Sequence[Message]) -> list[Json]:
        """The items of all messages, in their order."""
        return [item for message in messages for item in self._items(message)]

    def _items(self, message: Message) -> Iterator[Json]:
        if message.role == "assistant":
            yield from self._reply(message.parts)
            return
        said: list[Json] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                yield self._result(part)
            else:
                said.append(self._piece(part))
        if said:
            role = "developer" if message.role == "system" else "user"
            yield {"type": "message", "role": role, "content": said}

    def _reply(self, parts: tuple[Part, ...]) -> Iterator[Json]:
        # OpenAI refuses reasoning that nothing of the same reply follows.
        last = max((at for at, part in enumerate(parts) if not isinstance(part, Thinking)), default=-1)
        for at, part in enumerate(parts):
            match part:
                case Thinking():
                    if part.dialect == DIALECT and part.signature and at < last:
                        yield reasoning_item(part)
                    else:
                        self.dropped["reasoning of another provider, or without its proof"] = None
                case ToolUse():
                    if part.signature:
                        self.dropped["signatures of tool calls: they are another provider's"] = None
                    self._marked(part.cache)
                    yield _call(part)
                case Refusal():
                    yield _assistant({"type": "refusal", "refusal": part.text})
                case Text():
                    self._marked(part.cache)
                    yield _assistant({"type": "output_text", "text": part.text})
                case _:
                    raise cannot("a picture or file in a reply", "replies are text", "Leave it out.", provider=_OPENAI)

    def _result(self, part: ToolResult) -> Json:
        self._marked(part.cache)
        if part.is_error:
            self.dropped["the mark that a tool's result is an error; its words are sent"] = None
        pieces = [self._piece(piece) for piece in part.parts]
        plain = len(pieces) == 1 and set(pieces[0]) == {"type", "text"}
        output = pieces[0]["text"] if plain else pieces or ""
        return {"type": "function_call_output", "call_id": id_of(part.id), "output": output}

    def _piece(self, part: Part) -> Json:
        if isinstance(part, Image) and not self._abilities.images:
            raise self._unable("a picture")
        if isinstance(part, Document) and not self._abilities.documents and not part.text:
            raise self._unable("a file")
        if isinstance(part, (Text, Image, Document)):
            if self._abilities.cache_control:
                return write_content(part) | write_cache(part.cache)
            self._marked(part.cache)
            return write_content(part)
        raise cannot(f"{type(part).__name__} in a user's message", "only a reply has it", "Leave it out.")

    def _marked(self, cache: str | None) -> None:
        if cache:
            self.dropped[CACHE_MARKS] = None

    def _unable(self, what: str) -> Exception:
        return cannot(what, f"{self._abilities.model} does not read it", "Ask another model.", provider=_OPENAI)


def _call(use: ToolUse) -> Json:
    call = {"type": "function_call", "call_id": id_of(use.id), "name": name_of(use.name)}
    return {**call, "arguments": use.arguments or "{}"}


def _assistant(piece: Json) -> Json:
    return {"type": "message", "role": "assistant", "content": [piece]}

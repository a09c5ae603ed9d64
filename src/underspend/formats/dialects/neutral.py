"""A request and a reply in no dialect: what translators pass through. Every dialect reads to it and writes from it.

What a dialect has and this form has not is left out by its reader, which says so in `dropped`; what this form has and
a dialect has not, its writer says, or refuses with `CannotCarryError` where the reply would not be what was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeAlias

from underspend.core.usage import Usage


@dataclass(frozen=True, slots=True)
class Text:
    """Words. `cache` is the lifetime of a cache breakpoint behind it ("5m", "1h"), here and below."""

    text: str
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: base64 `data` of a `media_type`, or a `url`."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    cache: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A file (PDF, plain text): base64 `data` of a `media_type`, plain `text`, or a `url`."""

    media_type: str = ""
    data: str = ""
    text: str = ""
    url: str = ""
    title: str = ""
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """A model's reasoning. It belongs to who wrote it: a writer of another dialect drops it and never forges one.

    `signature` is the provider's proof, `redacted` its encrypted form, `dialect` the provider's dialect.
    """

    text: str = ""
    signature: str = ""
    redacted: str = ""
    dialect: str = ""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The model calls a tool. `arguments` is the JSON text as the model wrote it, "{}" for none.

    `signature` is what a provider wants back with it (Gemini's thought signature).
    """

    id: str
    name: str
    arguments: str = "{}"
    cache: str | None = None
    signature: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave for the use `id`. `name` is the tool's, where it is known."""

    id: str
    parts: tuple[Text | Image | Document, ...] = ()
    is_error: bool = False
    name: str = ""
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model's words of refusal, where the dialect tells them from others."""

    text: str


Part: TypeAlias = Text | Image | Document | Thinking | ToolUse | ToolResult | Refusal


@dataclass(frozen=True, slots=True)
class Message:
    """`system` messages may stand among the others; results of tools are parts of a `user` message, and come first."""

    role: Literal["user", "assistant", "system"]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call. `schema` is its JSON schema; `strict` asks that arguments keep to it."""

    name: str
    schema: Mapping[str, Any]
    description: str = ""
    strict: bool | None = None
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`auto`, `any` (some tool), `tool` (the one named) or `none`."""

    kind: Literal["auto", "any", "tool", "none"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Structured:
    """The reply shall be JSON: of a `schema`, or any object where it is None."""

    schema: Mapping[str, Any] | None = None
    name: str = "reply"
    strict: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request. Fields that are None were not given. `max_output` includes reasoning.

    `thinking` is "off", "adaptive" or a budget in tokens; `effort` a word ("minimal", "low" … "max").
    `include_usage` is whether a streaming client wants the usage where its dialect makes that a choice.
    `cache` is the lifetime of a breakpoint that the provider shall set itself at the end of the prompt.
    `dropped` are the members that were read and cannot be said here, in words for the user.
    """

    model: str
    messages: tuple[Message, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    choice: ToolChoice | None = None
    parallel: bool | None = None
    stream: bool = False
    include_usage: bool = True
    max_output: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    structured: Structured | None = None
    thinking: Literal["off", "adaptive"] | int | None = None
    effort: str | None = None
    user: str | None = None
    cache: str | None = None
    dropped: tuple[str, ...] = ()


class Stop(StrEnum):
    """Why a reply ended, in Anthropic's words."""

    END = "end_turn"
    LENGTH = "max_tokens"
    SEQUENCE = "stop_sequence"
    TOOLS = "tool_use"
    REFUSAL = "refusal"
    PAUSE = "pause_turn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole reply. `usage` has lanes that never overlap; `thinking_tokens` are part of its output."""

    id: str
    model: str
    parts: tuple[Part, ...]
    stop: Stop = Stop.END
    stop_sequence: str | None = None
    usage: Usage = field(default_factory=Usage)
    thinking_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Began:
    """A stream's first event. `usage` holds what is known of the prompt, zeros where nothing is."""

    id: str
    model: str
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class PartBegan:
    """A part begins: `part` says what it is, without its words. Parts follow each other and never overlap."""

    part: Text | Thinking | ToolUse | Refusal


@dataclass(frozen=True, slots=True)
class More:
    """More of the part that began last: text, reasoning, or a piece of the arguments' JSON."""

    text: str


@dataclass(frozen=True, slots=True)
class PartEnded:
    """The part is whole. `signature` comes with reasoning where the provider signs it."""

    signature: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """The reply is whole."""

    stop: Stop
    usage: Usage
    stop_sequence: str | None = None
    thinking_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of the provider, as a whole reply or in the midst of a stream.

    `kind` is in Anthropic's words ("rate_limit_error" …); `message` is the provider's own, never reworded.
    """

    kind: str
    message: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Alive:
    """The provider says that it is still there: a ping, or a comment. It may come before `Began`."""


Event: TypeAlias = Began | PartBegan | More | PartEnded | Ended | Problem | Alive


class Abilities(Protocol):
    """What a writer of requests asks of the model it writes for; `formats.translation.Target` has it all.

    It stands here too because the dialects may not import what is built upon them.
    """

    @property
    def model(self) -> str:
        """The provider's name for the model."""
        ...

    @property
    def provider(self) -> str:
        """The provider's name in the price catalogue."""
        ...

    @property
    def max_output(self) -> int | None:
        """The model's own limit, None where it is not known."""
        ...

    @property
    def images(self) -> bool:
        """Whether it reads pictures."""
        ...

    @property
    def documents(self) -> bool:
        """Whether it reads files."""
        ...

    @property
    def tools(self) -> bool:
        """Whether it calls tools."""
        ...

    @property
    def structured(self) -> bool:
        """Whether it keeps to a schema."""
        ...

    @property
    def thinking(self) -> bool:
        """Whether it reasons."""
        ...

    @property
    def cache_control(self) -> bool:
        """Whether it takes cache breakpoints."""
        ...

    @property
    def efforts(self) -> tuple[str, ...] | None:
        """The words for effort that it takes, None where they are not known."""
        ...

    @property
    def adaptive(self) -> bool:
        """Whether it decides itself how much to think."""
        ...

    @property
    def sampling(self) -> bool:
        """Whether it takes a temperature."""
        ...

    @property
    def mid_system(self) -> bool:
        """Whether system messages may stand among the others."""
        ...

    @property
    def quiet(self) -> bool:
        """Whether its thinking can be turned off."""
        ...

    @property
    def forced_tools(self) -> bool:
        """Whether a tool may be demanded."""
        ...

"""What is known of past calls from a client's own records: the form that readers give and advisors read.

A history is made of timelines, one per session and agent, each an ordered list of events. Prompts are not in it; what
is known of them is their tokens by lane, the results that went into them, and what the client noted.

Events are structs and no dataclasses, because a history has hundreds of thousands of them: `msgspec.structs.replace`
copies one with changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import msgspec

from underspend.core.call import Role
from underspend.core.usage import Metered


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where in the client's files something was read: for evidence, never for identity."""

    file: str
    line: int


class ToolUse(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One use of a tool by the model.

    `target` is what it was used on, as far as that is plain: a file path, a command, a pattern, an agent's type.
    `first_line` and `line_count` are the range of a read, 0 for the whole file. `size` is the input's characters.
    """

    id: str
    name: str
    target: str = ""
    first_line: int = 0
    line_count: int = 0
    size: int = 0

    @property
    def mcp_server(self) -> str | None:
        """The MCP server of an `mcp__server__tool` name."""
        return self.name.split("__")[1] if self.name.startswith("mcp__") and self.name.count("__") > 1 else None


class Answered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One reply of the model, merged from all its lines and copies: what is billed.

    `at` is the time of its first line in microseconds since the epoch. `metered` holds the recorded usage.
    `unseen_output` is what the recorded output lacks where no final usage was written, estimated from the text; it is
    shown apart and never added silently. `copies` counts the other files that hold the same reply.
    """

    message_id: str
    at: int
    place: Place
    metered: Metered
    request_id: str | None = None
    asked_model: str | None = None
    effort: str | None = None
    version: str | None = None
    turn: str | None = None
    finalised: bool = True
    unseen_output: int = 0
    tools: tuple[ToolUse, ...] = ()
    text_chars: int = 0
    thinking_chars: int = 0
    skill: str | None = None
    miss_reason: str | None = None
    missed_tokens: int = 0
    nested: bool = False
    copies: int = 0


class Result(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A tool's result as it entered the context. `digest` is equal for equal content; `size` is in characters."""

    at: int
    place: Place
    use_id: str
    size: int
    digest: bytes = b""
    is_error: bool = False
    images: int = 0


class Typed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A prompt a person typed (or a program gave), which begins a turn. `size` is in characters."""

    at: int
    place: Place
    turn: str | None
    size: int
    by_person: bool = True


class MarkKind(StrEnum):
    """What else a client notes that bears on cost."""

    COMPACTION = "compaction"
    MICROCOMPACTION = "microcompaction"
    API_ERROR = "api_error"
    RESUME = "resume"
    CLEAR = "clear"
    MODEL_SET = "model_set"
    TOOLS_CHANGED = "tools_changed"
    PERMISSION_MODE = "permission_mode"


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something noted at a point of a timeline. `detail` is the client's own word (an error's name, a trigger)."""

    at: int
    place: Place
    kind: MarkKind
    detail: str = ""
    tokens_before: int = 0
    tokens_after: int = 0


Event: TypeAlias = Answered | Result | Typed | Mark
"""Always one of exactly these classes: `type(event) is Answered` tells them apart in a fifth of `isinstance`'s time,
which asks a struct's metaclass. A history is gone through a dozen times."""


@dataclass(slots=True, kw_only=True)
class Timeline:
    """The events of one session's main loop (`agent` None) or of one of its sub-agents, oldest first."""

    session: str
    project: str
    directory: str = ""
    agent: str | None = None
    agent_type: str | None = None
    parent_use: str | None = None
    role: Role = Role.MAIN
    entrypoint: str | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def replies(self) -> list[Answered]:
        """The billed replies, in order."""
        return [event for event in self.events if type(event) is Answered]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTotal:
    """The client's own running total of a session (`cost-state`), in dollars as written and tokens by model."""

    session: str
    place: Place
    usd: str
    by_model: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    covers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlwaysLoaded:
    """One thing in every prompt of a session, from the client's snapshot of its prompt: a tool, a system section.

    `size` is in characters. `kind` is tool, mcp_tool, system, claude_md, skill or agent.
    """

    session: str
    kind: str
    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A piece that could not be read, and why. Nothing else is lost with it."""

    place: Place
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One file read: its size in bytes, when it was last written (µs since the epoch), how many lines it holds."""

    file: str
    size: int
    modified: int
    lines: int = 0


@dataclass(slots=True, kw_only=True)
class History:
    """Everything read. `unknown` counts entry types that this version does not know."""

    timelines: list[Timeline] = field(default_factory=list)
    totals: list[ClientTotal] = field(default_factory=list)
    always_loaded: list[AlwaysLoaded] = field(default_factory=list)
    files: list[Transcript] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)

    def replies(self) -> Sequence[tuple[Timeline, Answered]]:
        """Every billed reply with its timeline, in no particular order."""
        return [(line, event) for line in self.timelines for event in line.events if type(event) is Answered]

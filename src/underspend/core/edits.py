"""The closed union of what a strategy may do to a call. Each edit says why, in words for the user.

A new edit is added here, in `core.editing` (what it does to the Call) and in the wire formats (what it does to the
bytes); the type checker finds every place that must learn it. `at` is an index into `Call.blocks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, assert_never

from underspend.core.call import Call


@dataclass(frozen=True, slots=True)
class SetModel:
    """Send the call to another model, of the same provider where `provider` (of the price catalogue) is empty."""

    model: str
    why: str
    provider: str = ""


@dataclass(frozen=True, slots=True)
class SetBreakpoint:
    """Put a cache breakpoint on a block, or give the one there another lifetime ("5m", "1h")."""

    at: int
    ttl: str
    why: str


@dataclass(frozen=True, slots=True)
class ReplaceContent:
    """What a tool's result says becomes `text`; the block, its place and its `ref` stay. `tokens` is its size then."""

    at: int
    text: str
    tokens: int
    why: str


@dataclass(frozen=True, slots=True)
class ShortenContent:
    """Keep the first `head` and last `tail` characters of a tool's result; a line between says what was left out.

    Of what is left out up to `MOST_LINES` lines that hold one of `words` (in any case) stay too, `LONGEST_LINE`
    characters of each. `tokens` is its size then, at most.
    """

    at: int
    head: int
    tail: int
    tokens: int
    why: str
    words: tuple[str, ...] = ()


MOST_LINES = 10
LONGEST_LINE = 160


@dataclass(frozen=True, slots=True)
class DropMessages:
    """Leave out the messages `first` to `last` (indices into the request's messages, both included)."""

    first: int
    last: int
    why: str


@dataclass(frozen=True, slots=True)
class ReplaceMessages:
    """One message of the model's that says `text` stands for the messages `first` to `last`; others keep their numbers.

    `tokens` is its size then. Once made it is made again in every later call that begins with the same messages.
    """

    first: int
    last: int
    text: str
    tokens: int
    why: str


@dataclass(frozen=True, slots=True)
class SetMaxOutput:
    """Allow the reply at most so many tokens."""

    tokens: int
    why: str


@dataclass(frozen=True, slots=True)
class SetEffort:
    """Ask for another effort ("low", "medium", "high" …)."""

    effort: str
    why: str


@dataclass(frozen=True, slots=True)
class Warn:
    """Change nothing; tell the user."""

    why: str


class RefusalKind(StrEnum):
    """What kind of limit refused the call; the wire formats turn it into the provider's own error type."""

    BUDGET = "budget"
    RATE_LIMIT = "rate_limit"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Do not send the call. `why` is what the client's user reads."""

    kind: RefusalKind
    why: str


ContentEdit: TypeAlias = ReplaceContent | ShortenContent
"""Edits of one block's content. Once made they are made again in every later call that holds the block."""

Edit: TypeAlias = (
    SetModel | SetBreakpoint | ContentEdit | DropMessages | ReplaceMessages | SetMaxOutput | SetEffort | Warn | Refuse
)


def alters_meaning(edit: Edit) -> bool:
    """Whether the reply could differ because of it; such edits are shadow until the user turns them on."""
    return not isinstance(edit, SetBreakpoint | Warn | Refuse)


def changes(edit: Edit, call: Call) -> bool:
    """Whether the edit would do anything to this call."""
    match edit:
        case SetBreakpoint(at=at, ttl=ttl):
            return 0 <= at < len(call.blocks) and call.blocks[at].breakpoint != ttl
        case ReplaceContent(at=at) | ShortenContent(at=at):
            return 0 <= at < len(call.blocks)
        case DropMessages(first=first, last=last) | ReplaceMessages(first=first, last=last):
            return any(first <= block.message <= last for block in call.blocks)
        case _:
            return _sets_otherwise(edit, call)


def _sets_otherwise(edit: SetModel | SetMaxOutput | SetEffort | Warn | Refuse, call: Call) -> bool:
    match edit:
        case SetModel(model=model, provider=provider):
            return model != call.model or (provider or call.provider) != call.provider
        case SetMaxOutput(tokens=tokens):
            return tokens != call.max_output
        case SetEffort(effort=effort):
            return effort != call.effort
        case Warn() | Refuse():
            return True
        case _:
            assert_never(edit)

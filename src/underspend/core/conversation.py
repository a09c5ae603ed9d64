"""What is known of the conversation a call belongs to, and of its user's habits. All of it from earlier calls only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from underspend.core.call import Block, Role
from underspend.core.edits import ContentEdit
from underspend.core.money import Money


@dataclass(frozen=True, slots=True)
class Kept:
    """An edit made before, to be made again wherever its block stands: the provider's cache holds the edited form."""

    strategy: str
    edit: ContentEdit


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One session's main loop, or one of its sub-agents, before the call in question.

    `calls` counts its earlier calls, `idle` is the microseconds since the last of them began (None before the first),
    `gaps` are all such times of the conversation so far, sorted, the one before this call included. `warm_tokens` is
    how much of the call's prompt, as edited so far, the provider's cache should still hold by its published rules; 0
    when it is cold. `long_tokens` is the part of that which was written for an hour. `cold_at` is when what is warm
    dies (µs since the epoch), None when nothing is. `kept` are content edits of earlier calls by `name_of` their block.
    `model` and `effort` are those the last call was sent with, None where that is not known. `paid` is what the
    conversation's calls have cost, `saved` what they would have cost without us less that: below zero where we have
    cost money so far. `marked` is whether breakpoints were set in an earlier call where the client sets none.
    """

    calls: int = 0
    idle: int | None = None
    gaps: Sequence[int] = ()
    warm_tokens: int = 0
    long_tokens: int = 0
    cold_at: int | None = None
    kept: Mapping[bytes, Kept] = field(default_factory=dict)
    model: str | None = None
    effort: str | None = None
    paid: Money = 0
    saved: Money = 0
    marked: bool = False

    @property
    def is_cold(self) -> bool:
        """Whether the whole prompt will be written anew, whatever is done to it."""
        return self.warm_tokens == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What this user's calls were like so far, each list sorted.

    `gaps` are the idle times between two calls of a conversation in microseconds, `lengths` the numbers of calls that
    finished conversations had, `growth` the tokens a call added to its prompt, all by role. `outputs` are reply lengths
    in tokens by kind of call (`Call.kind`).
    """

    gaps: Mapping[Role, Sequence[int]] = field(default_factory=dict)
    lengths: Mapping[Role, Sequence[int]] = field(default_factory=dict)
    growth: Mapping[Role, Sequence[int]] = field(default_factory=dict)
    outputs: Mapping[str, Sequence[int]] = field(default_factory=dict)


def name_of(block: Block) -> bytes:
    """What a block is known by in `Conversation.kept`: its content as the client sent it, and its use."""
    return block.digest + (block.ref or "").encode()

"""What the kernel and the drivers ask of the world. Implementations live on the shelves; each has a twin in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from underspend.core.call import Block, Call
from underspend.core.money import Money

if TYPE_CHECKING:
    from asyncio import Future  # what only names a type need not be loaded by every command

Value: TypeAlias = str | int | bool | bytes | None
Row: TypeAlias = Mapping[str, Value]
"""One row of the ledger: column names as in `stores.schema`."""


class Clock(Protocol):
    """Where time comes from, so that replay can bring its own."""

    def now(self) -> int:
        """Microseconds since the epoch."""
        ...


class Rates(Protocol):
    """Pico-dollars per token by lane."""

    @property
    def input(self) -> Money:
        """A fresh token of the prompt."""
        ...

    @property
    def cache_write_5m(self) -> Money:
        """A token written to the cache for five minutes."""
        ...

    @property
    def cache_write_1h(self) -> Money:
        """A token written to the cache for an hour."""
        ...

    @property
    def cache_read(self) -> Money:
        """A token read from the cache."""
        ...

    @property
    def output(self) -> Money | None:
        """A token of the reply; None for a model that writes none."""
        ...


class Pricing(Protocol):
    """Prices a call before it is made."""

    def rates(self, call: Call) -> Rates | None:
        """The list prices a call would be billed at; None for a model without a known price."""
        ...

    def step_above(self, call: Call) -> int | None:
        """The prompt length above which every token of the call is dearer; None where there is no such step."""
        ...

    def cache_minimum(self, model: str) -> int:
        """The shortest prefix the model caches, in tokens."""
        ...

    def estimate(self, call: Call) -> Money | None:
        """The prompt at the plain input rate; None for a model without a known price."""
        ...

    def worst_case(self, call: Call) -> Money:
        """An amount the call's bill cannot exceed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptParts:
    """The raw JSON of a prompt's three parts, to be taken apart off the hot path; only digests of it are kept.

    `blocks` and `turn` are what it was taken apart into, where that was done already.
    """

    tools: bytes
    system: bytes
    messages: bytes
    blocks: tuple[Block, ...] | None = None
    turn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The end of a call: its whole row, and what belongs to it. `contents` is None unless the user stores content.

    `effects` are what strategies saved on it, `kept` edits of it that later calls of the conversation need again.
    """

    call: Row
    lines: Sequence[Row] = ()
    decisions: Sequence[Row] = ()
    effects: Sequence[Row] = ()
    kept: Sequence[Row] = ()
    prompt: PromptParts | None = field(default=None, repr=False)
    contents: Row | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class LedgerHealth:
    """Where records go now (`ok` is the database) and how many wait to get there."""

    state: Literal["ok", "spooling", "memory"]
    waiting: int


class LedgerPort(Protocol):
    """Where calls are written down. Writing twice what has the same id changes nothing."""

    def intend(self, call: Row) -> Future[None]:
        """Resolves when the row is durable: in the database, or in the spool while that cannot be written.

        Whoever waits may resolve it himself, to go on without.
        """
        ...

    def settle(self, settlement: Settlement) -> None:
        """Accepts the end of a call; returns at once and never raises."""
        ...

    def learn_session(self, session: str, project: str, directory: str) -> None:
        """Remembers where a session works."""
        ...

    def health(self) -> LedgerHealth:
        """How the writing goes."""
        ...

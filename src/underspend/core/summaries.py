"""The old part of a conversation: where it ends, by what it is known, and what may stand in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from underspend.core.call import Block, Section
from underspend.core.edits import ReplaceMessages

FIRST = 1
"""The message at which the old part begins: the one before it says what it is all about, and stays as it is."""

_SPEAKERS = frozenset({"user", "assistant"})


@dataclass(frozen=True, slots=True)
class Summary:
    """What says in `tokens` tokens what stands in the messages `FIRST` to `last` of a conversation."""

    last: int
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """An edit of a conversation's old part, to be made again wherever that part, known by `prefix`, stands."""

    strategy: str
    edit: ReplaceMessages
    prefix: bytes


def prefixes(blocks: Sequence[Block], whose: str = "") -> Iterator[tuple[int, bytes]]:
    """Each message of a call but the last, with a name of all messages up to it, for the calls of one caller."""
    running = blake2b(whose.encode(), digest_size=16)
    before: int | None = None
    for block in blocks:
        if block.section is not Section.MESSAGES:
            continue
        if before is not None and block.message != before:
            yield before, running.digest()
        before = block.message
        running.update(f"{block.message} {block.role} {block.ref or ''} ".encode() + block.digest)


def prefix_of(blocks: Sequence[Block], last: int, whose: str = "") -> bytes | None:
    """The name of the messages up to `last`; None where the call does not go on behind it."""
    return next((name for message, name in prefixes(blocks, whose) if message == last), None)


def tokens_of(blocks: Sequence[Block], first: int, last: int) -> int:
    """The tokens of the messages `first` to `last`."""
    return sum(block.tokens for block in blocks if first <= block.message <= last)


def old_until(blocks: Sequence[Block], keep_turns: int) -> int | None:
    """The last message before the newest `keep_turns` turns; None where nothing before them can be parted from them."""
    starts = [message for message in turns(blocks) if message > FIRST]
    last = starts[-keep_turns] - 1 if len(starts) >= keep_turns else None
    return last if last is not None and can_part(blocks, last) else None


def turns(blocks: Sequence[Block]) -> list[int]:
    """The messages with which a person begins a turn: a user's, without a tool's result."""
    roles: dict[int, str] = {}
    results = set[int]()
    for block in blocks:
        if block.section is Section.MESSAGES:
            roles[block.message] = block.role
            if block.kind.endswith("tool_result"):
                results.add(block.message)
    return [message for message, role in roles.items() if role == "user" and message not in results]


def can_part(blocks: Sequence[Block], last: int) -> bool:
    """Whether the messages `FIRST` to `last` can be taken out.

    A turn begins behind them, no use is parted from its result, and all are a user's or the model's: a message that
    shows no block may hold settings for those behind it.
    """
    messages = [block for block in blocks if block.section is Section.MESSAGES]
    seen = {block.message for block in messages}
    if last <= FIRST or last + 1 not in turns(messages) or not seen.issuperset(range(last + 2)):
        return False
    old = [block for block in messages if block.message <= last]
    refs = {block.ref for block in old if block.ref is not None}
    kept = {block.ref for block in messages if block.message > last and block.ref is not None}
    return not refs & kept and all(block.role in _SPEAKERS for block in old)

"""The old part of a conversation: where it ends, by what it is known, and what may stand in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from underspend.core.call import Block, Section
from underspend.core.edits import ReplaceMessages

_PASSING = 64
"""System messages of so many tokens at most may go with the messages around them: longer ones are there to stay."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What says in `tokens` tokens what stands in the messages `first` to `last` of a conversation."""

    first: int
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


def old_part(blocks: Sequence[Block], keep_turns: int) -> tuple[int, int] | None:
    """The first and the last message before the newest `keep_turns` turns; None where they cannot be taken out.

    What stands before the model's first words stays: it says what all is about.
    """
    first = next((block.message for block in blocks if block.role == "assistant"), None)
    starts = turns(blocks)
    if first is None or len(starts) < keep_turns:
        return None
    last = starts[-keep_turns] - 1
    return (first, last) if can_part(blocks, first, last) else None


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


def can_part(blocks: Sequence[Block], first: int, last: int) -> bool:
    """Whether the messages `first` to `last` can give way to one of the model's.

    They begin with the first of the model's and end before a turn begins, no use is parted from its result, and what
    the client said as the system is short. A message that shows no block may hold settings for those behind it.
    """
    messages = [block for block in blocks if block.section is Section.MESSAGES]
    begins = next((block.message for block in messages if block.role == "assistant"), None)
    seen = {block.message for block in messages}
    if first != begins or last <= first or last + 1 not in turns(messages) or not seen.issuperset(range(last + 2)):
        return False
    refs = {block.ref for block in messages if block.message <= last and block.ref is not None}
    kept = {block.ref for block in messages if block.message > last and block.ref is not None}
    old = [block for block in messages if first <= block.message <= last]
    return not refs & kept and all(block.role != "system" or _is_passing(block) for block in old)


def _is_passing(block: Block) -> bool:
    return block.kind == "text" and block.tokens <= _PASSING

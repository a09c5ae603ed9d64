"""Which files belong together: those that share a session, a reply, a prompt, a mark or an agent.

What a file tells of these is kept as numbers, so that a later run knows without reading it again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import xxhash

if TYPE_CHECKING:
    from underspend.readers.claude_code.records import Extract

Bonds = bytes
"""Numbers of 64 bits; two files with one in common belong together."""


def number_of(kind: str, name: str) -> int:
    """The number of a name, the same in every run."""
    return xxhash.xxh3_64_intdigest(f"{kind}:{name}".encode("utf-8", "surrogatepass"))


def bonds_of(extract: Extract) -> Bonds:
    """What ties a file to others."""
    from underspend.readers.claude_code.tool_uses import SPAWNING

    found = {number_of("session", extract.session)}
    for part in extract.parts:
        if part.parent_use:
            found.add(number_of("use", part.parent_use))
        found.update(part.typed_ids, part.mark_ids)
        for reply in part.answered:
            found.add(number_of("reply", reply.message_id))
            found.update([number_of("use", use.id) for use in reply.tools if use.name in SPAWNING])
    return array("Q", found).tobytes()


def together(bonds: Sequence[Bonds]) -> list[list[int]]:
    """The files that belong together, by their index: each in one group, groups and members in order."""
    leader = list(range(len(bonds)))

    def led(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    first: dict[int, int] = {}
    for index, packed in enumerate(bonds):
        numbers = array("Q", packed)
        for other in {first[number] for number in numbers if number in first}:
            one, two = led(index), led(other)
            leader[max(one, two)] = min(one, two)
        first.update(dict.fromkeys((number for number in numbers if number not in first), index))
    groups: dict[int, list[int]] = {}
    for index in range(len(bonds)):
        groups.setdefault(led(index), []).append(index)
    return list(groups.values())


def holders(bonds: Sequence[Bonds], wanted: Iterable[Bonds]) -> set[int]:
    """The files that share anything with others, by their index."""
    numbers = {number for packed in wanted for number in array("Q", packed)}
    if numbers.isdisjoint(array("Q", b"".join(bonds))):
        return set()
    return {index for index, packed in enumerate(bonds) if not numbers.isdisjoint(array("Q", packed))}

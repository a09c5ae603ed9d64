"""Replies as numbers: enough to know one again, when it was and what it cost, in a part that is kept."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import xxhash

from underspend.audit.bills import Billed
from underspend.core.money import Money

_EACH = 4
_LIMIT = 2**64 - 1


class Numbered(NamedTuple):
    """A reply: the numbers of its message id and of its request id (0 without one), its time (µs) and its cost."""

    message: int
    request: int
    at: int
    cost: Money


def number_of(name: str | None) -> int:
    """The number of an id, the same in every run; 0 for none."""
    return xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogatepass")) if name else 0


def packed(billed: Iterable[Billed]) -> bytes:
    """Replies, 32 bytes each."""
    found: list[int] = []
    for each in billed:
        reply = each.reply
        found += number_of(reply.message_id), number_of(reply.request_id), reply.at, each.bill.total
    try:
        return array("Q", found).tobytes()
    except OverflowError:
        # A time before 1970 or a sum beyond all money: of a line that nobody's client wrote.
        return array("Q", [min(max(number, 0), _LIMIT) for number in found]).tobytes()


def unpacked(parts: Iterable[bytes]) -> Iterator[Numbered]:
    """The replies of some parts."""
    for part in parts:
        numbers = array("Q", part)
        for at in range(0, len(numbers), _EACH):
            yield Numbered(*numbers[at : at + _EACH])

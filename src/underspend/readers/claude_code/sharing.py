"""What the two reading processes agree on: portions of work, the queue of their numbers, the form of results."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from underspend.readers.claude_code.cache import Cache
from underspend.readers.claude_code.records import Source

_SMALL = 2_000_000
_MOST_BATCHES = 4_000
NUMBER = struct.Struct("<I")
LENGTH = struct.Struct("<II")


class Task(msgspec.Struct, array_like=True):
    """What the second process is told."""

    queue: int
    cache: bytes | None
    parts: list[list[Source]]


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Task).decode


def batches(sources: Sequence[Source]) -> list[list[Source]]:
    """The files in portions of work, large ones first."""
    least = max(_SMALL, sum(source.size for source in sources) // _MOST_BATCHES)
    parts: list[list[Source]] = [[]]
    size = 0
    for source in sorted(sources, key=lambda source: -source.size):
        if parts[-1] and size + source.size > least:
            parts.append([])
            size = 0
        parts[-1].append(source)
        size += source.size
    return parts


def numbers(queue: int) -> Iterator[int]:
    """The batches that are still free, one by one, each given to one process alone."""
    while len(taken := os.read(queue, NUMBER.size)) == NUMBER.size:
        yield NUMBER.unpack(taken)[0]


def write_result(stream: IO[bytes], path: bytes, packed: bytes) -> None:
    """Hand one extract over."""
    stream.write(LENGTH.pack(len(path), len(packed)))
    stream.write(path)
    stream.write(packed)


def cache_of(task: Task) -> Cache:
    """The cache that the second process writes to."""
    return Cache(None if task.cache is None else Path(os.fsdecode(task.cache)))

"""Files → extracts: from the cache where they have not changed, else read anew, by at most two processes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from underspend.core.history import Place, Skipped
from underspend.readers.claude_code.cache import Cache
from underspend.readers.claude_code.extract import extract
from underspend.readers.claude_code.records import Extract, Source, pack, unpack

Progress = Callable[[int, int], None]


def read_all(
    sources: Sequence[Source], cache: Cache, *, processes: int, progress: Progress | None
) -> list[tuple[Source, Extract]]:
    """The extract of every file, in the order of the files."""
    with _without_collection():
        return [(source, _read(source, cache)) for source in sources]


def _read(source: Source, cache: Cache) -> Extract:
    kept = cache.get(source)
    if kept is not None:
        try:
            return unpack(kept)
        except msgspec.DecodeError:
            pass
    found = read_one(source)
    cache.put(source, pack(found))
    return found


def read_one(source: Source) -> Extract:
    """One file, read now. A file that cannot be opened, or not to its end, says so in `skipped`."""
    try:
        with Path(source.path).open("rb", buffering=1 << 20) as stream:
            return extract(source, stream)
    except OSError as error:
        why = f"cannot be read: {(error.strerror or str(error)).lower()}"
        return Extract(session="", skipped=[Skipped(place=Place(file=source.path, line=0), why=why)])


@contextmanager
def _without_collection() -> Iterator[None]:
    """No garbage collection meanwhile: what is read holds no cycles, and looking for them takes longer than reading."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

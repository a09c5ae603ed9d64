"""Files → extracts: from the cache where they have not changed, else read anew, by at most two processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from underspend.core.history import Place, Skipped
from underspend.readers.claude_code.cache import Cache
from underspend.readers.claude_code.extract import extract
from underspend.readers.claude_code.records import Extract, Source, pack, unpack
from underspend.readers.claude_code.sharing import batches

Progress = Callable[[int, int], None]
_WORTH_A_PROCESS = 24_000_000


def read_all(
    sources: Sequence[Source], cache: Cache, *, processes: int, progress: Progress | None
) -> list[tuple[Source, Extract]]:
    """The extract of every file, in the order of the files."""
    found: dict[bytes, Extract] = {}
    anew: list[Source] = []
    for source in sources:
        kept = _kept(source, cache)
        if kept is None:
            anew.append(source)
        else:
            found[source.raw_path] = kept
    size = sum(source.size for source in anew)
    if processes > 1 and size > _WORTH_A_PROCESS:
        _read_by_two(anew, cache, found, progress)
    _read_by_one([source for source in anew if source.raw_path not in found], cache, found, progress)
    return [(source, found[source.raw_path]) for source in sources]


def _kept(source: Source, cache: Cache) -> Extract | None:
    packed = cache.get(source)
    if packed is None:
        return None
    try:
        return unpack(packed)
    except msgspec.DecodeError:
        return None


def _read_by_one(
    sources: Sequence[Source], cache: Cache, found: dict[bytes, Extract], progress: Progress | None
) -> None:
    done, total = 0, sum(source.size for source in sources)
    for source in sources:
        found[source.raw_path] = unpack(read_one(source, cache))
        done += source.size
        if progress is not None:
            progress(done, total)


def _read_by_two(
    sources: Sequence[Source], cache: Cache, found: dict[bytes, Extract], progress: Progress | None
) -> None:
    """Share the files with a second process. What it does not hand back is left for a later, single reading."""
    from underspend.readers.claude_code.second import Second  # most runs find all but a few files in the cache

    parts = batches(sources)
    total, done = sum(source.size for source in sources), 0

    with Second(parts, cache) as second:
        for number in second.shares():
            for source in parts[number]:
                found[source.raw_path] = unpack(read_one(source, cache))
            found.update((path, unpack(packed)) for path, packed in second.finished())
            if progress is not None:
                done = sum(source.size for source in sources if source.raw_path in found)
                progress(done, total)
        second.wait()
        found.update((path, unpack(packed)) for path, packed in second.finished())
    if progress is not None and done < total:
        progress(total, total)


def read_extract(source: Source) -> tuple[Extract, bool]:
    """The extract of one file, read now, and whether it could be: where not, its `skipped` says so."""
    try:
        with open(source.raw_path, "rb", buffering=1 << 20) as stream:  # noqa: PTH123  (there may be thousands)
            return extract(source, stream), True
    except OSError as error:
        return _unreadable(source, error), False


def _unreadable(source: Source, error: OSError) -> Extract:
    why = f"cannot be read: {(error.strerror or str(error)).lower()}"
    return Extract(session="", skipped=[Skipped(place=Place(file=source.shown, line=0), why=why)])


def read_one(source: Source, cache: Cache) -> bytes:
    """The packed extract of one file, read now. A file that cannot be read says so in its `skipped`."""
    try:
        with open(source.raw_path, "rb", buffering=1 << 20) as stream:  # noqa: PTH123  (there may be thousands)
            found = extract(source, stream)
    except OSError as error:
        return pack(_unreadable(source, error))
    packed = pack(found)
    cache.put(source, packed)
    return packed

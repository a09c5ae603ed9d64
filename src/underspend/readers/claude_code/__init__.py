"""Claude Code's transcripts, read and never written to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from underspend.readers.claude_code.roots import default_roots

if TYPE_CHECKING:
    from underspend.core.history import History

__all__ = ["default_roots", "read_history"]


def read_history(
    roots: Sequence[Path],
    *,
    cache: Path | None = None,
    processes: int = 2,
    progress: Callable[[int, int], None] | None = None,
    since: int | None = None,
) -> History:
    """Everything that the transcripts below some roots say.

    A root is a Claude Code folder, its `projects` folder, any folder of transcripts, or one transcript. `cache` is a
    folder of our own in which what was read is kept for the next run. `progress` is told the bytes read and the bytes
    in all. `since` (µs since the epoch) leaves out the files last written before it.
    """
    # An audit of which everything is kept imports this package and reads nothing.
    from underspend.readers.claude_code.cache import Cache
    from underspend.readers.claude_code.collection import without_collection
    from underspend.readers.claude_code.merge import merged
    from underspend.readers.claude_code.reading import read_all
    from underspend.readers.claude_code.roots import sources

    with without_collection():
        found, skipped = sources(roots, since)
        return merged(read_all(found, Cache(cache), processes=processes, progress=progress), skipped)

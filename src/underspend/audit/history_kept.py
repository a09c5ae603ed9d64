"""The user's history in the ledger, for an audit of kept parts: what is recalled from it, what is written to it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import Engine

from underspend.audit.bills import Billed, price
from underspend.audit.keep import keep, missing, recall
from underspend.audit.kept import Kept
from underspend.audit.surroundings import DEFAULT_RETENTION_DAYS
from underspend.core.history import Timeline
from underspend.pricing.catalogue import Catalogue
from underspend.readers.claude_code.bonds import number_of
from underspend.readers.claude_code.merge import merged
from underspend.readers.claude_code.reading import read_extract
from underspend.readers.claude_code.records import Source

_DAY = 86_400_000_000
_MANY = 8_000
"""Replies that are written at once; no more than a few times as many are in memory."""


def gone(engine: Engine, known: Iterable[bytes], roots: Sequence[Path], now: int) -> tuple[list[Timeline], bool]:
    """The replies that only the ledger holds, and whether it holds more of them than these.

    `known` are the bonds of the transcripts that are there. The client deletes none that is younger than a month, so
    younger replies that are missing were taken away on purpose: they are left out until they are older.
    """
    numbers = set(array("Q", b"".join(known)))
    times = missing(engine, is_known=lambda name: number_of("reply", name) in numbers, roots=roots)
    before = now - DEFAULT_RETENTION_DAYS * _DAY
    old = [name for name, at in times.items() if at < before]
    return (recall(engine, old) if old else []), len(old) < len(times)


def write(  # noqa: PLR0913  # each says one thing of the replies
    engine: Engine,
    sources: Sequence[Source],
    kept: Kept,
    *,
    roots: Sequence[Path],
    billing: str | None,
    prices: Catalogue,
) -> list[bytes]:
    """Writes the replies of the parts that have files which are not in the ledger yet; gives the files' paths."""
    known = {source.raw_path: source for source in sources}
    written: list[bytes] = []
    waiting: list[Billed] = []
    for part in kept.parts:
        members = [kept.members[number] for number in part.members]
        if all(member.in_ledger for member in members):
            continue
        files = [known[member.path] for member in members if member.path in known]
        waiting += price(merged([(source, read_extract(source)[0]) for source in files]), prices)
        written += [member.path for member in members]
        if len(waiting) > _MANY:
            keep(engine, waiting, roots=roots, billing=billing)
            waiting.clear()
    keep(engine, waiting, roots=roots, billing=billing)
    return written

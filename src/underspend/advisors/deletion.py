"""History that the client is about to delete, and what it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import ClassVar

import msgspec

from underspend.advisors.claimed import DAY as _DAY
from underspend.advisors.reading import accounts_of
from underspend.core.advisor import Advisor, Confidence, Finding, Seen, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import History
from underspend.core.money import Money, show

_NOTICE_DAYS = 7
_ROWS = 20
_FIX = (
    'In settings.json: "cleanupPeriodDays": 365 (0 is refused). '
    "Underspend keeps what it has read in its own ledger: run `underspend` before the files go."
)


class File(msgspec.Struct, array_like=True, gc=False):
    """A transcript: its size, when it was last written, what the replies in it cost."""

    name: str
    size: int
    modified: int
    spent: Money


class Deletion(Advisor[list[File]]):
    """Says which transcripts the client deletes within a week (by the age of their last write), and their dollars."""

    __slots__ = ()
    name: ClassVar[str] = "deletion"
    facts: ClassVar[type] = list[File]

    def look(self, history: History, around: Surroundings) -> Seen | None:
        """The files, with what they hold."""
        spent: Counter[str] = Counter()
        if around.retention_days is not None:
            for line in history.timelines:
                for file, paid in groupby(accounts_of(line, around), key=lambda each: each[0].place.file):
                    spent[file] += sum([bill.total for _, _, bill in paid])
        return Seen([File(file.file, file.size, file.modified, spent[file.file]) for file in history.files])

    def sum_up(self, facts: Sequence[list[File]], around: Surroundings) -> Iterable[Finding]:
        """One finding without dollars to save, or none."""
        if around.retention_days is None:
            return
        oldest_safe = around.now - (around.retention_days - _NOTICE_DAYS) * _DAY
        due = [file for files in facts for file in files if file.modified < oldest_safe]
        if due:
            yield _finding(sorted(due, key=lambda file: (file.modified, file.name)), around)


def _finding(due: list[File], around: Surroundings) -> Finding:
    days = around.retention_days or 0
    held = sum(file.spent for file in due)
    some = "1 transcript" if len(due) == 1 else f"{len(due)} transcripts"
    return Finding(
        id="deletion/due",
        urgency=Urgency.FYI,
        title=f"Claude Code deletes {some} within {_NOTICE_DAYS} days; they hold the record of {show(held)}",
        amount=0,
        confidence=Confidence.HIGH,
        evidence=Evidence.BILLED,
        why=(
            f"Files not written to for {days} days (cleanupPeriodDays) are deleted, silently, when Claude Code starts."
            " What is gone can neither be audited nor compared with later weeks."
        ),
        fix=_FIX,
        rows=tuple(_rows(due, around.now, days)),
    )


def _rows(due: list[File], now: int, days: int) -> Iterator[Mapping[str, str | int]]:
    for file in due[:_ROWS]:
        left = days - (now - file.modified) // _DAY
        yield {
            "file": file.name,
            "days_left": max(left, 0),
            "bytes": file.size,
            "usd": show(file.spent),
        }
    if len(due) > _ROWS:
        rest = due[_ROWS:]
        yield {
            "file": f"… {len(rest)} more",
            "days_left": max(days - (now - rest[0].modified) // _DAY, 0),
            "bytes": sum(file.size for file in rest),
            "usd": show(sum(file.spent for file in rest)),
        }

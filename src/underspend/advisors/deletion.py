"""History that the client is about to delete, and what it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from underspend.advisors.claimed import NO_BILL
from underspend.core.advisor import Advisor, Confidence, Finding, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import History, Transcript
from underspend.core.money import Money, show

_DAY = 86_400_000_000
_NOTICE_DAYS = 7
_ROWS = 20
_FIX = (
    'In settings.json: "cleanupPeriodDays": 365 (0 is refused). '
    "Underspend keeps what it has read in its own ledger: run `underspend` before the files go."
)


class Deletion(Advisor):
    """Says which transcripts the client deletes within a week (by the age of their last write), and their dollars."""

    __slots__ = ()
    name: ClassVar[str] = "deletion"

    def advise(self, history: History, around: Surroundings) -> Iterable[Finding]:
        """One finding without dollars to save, or none."""
        if around.retention_days is None:
            return
        oldest_safe = around.now - (around.retention_days - _NOTICE_DAYS) * _DAY
        due = sorted((file for file in history.files if file.modified < oldest_safe), key=lambda file: file.modified)
        if due:
            yield _finding(due, _spent(history, around), around)


def _spent(history: History, around: Surroundings) -> Mapping[str, Money]:
    spent: Counter[str] = Counter()
    for _, reply in history.replies():
        spent[reply.place.file] += around.bills.get(reply.message_id, NO_BILL).total
    return spent


def _finding(due: list[Transcript], spent: Mapping[str, Money], around: Surroundings) -> Finding:
    days = around.retention_days or 0
    held = sum(spent.get(file.file, 0) for file in due)
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
        rows=tuple(_rows(due, spent, around.now, days)),
    )


def _rows(due: list[Transcript], spent: Mapping[str, Money], now: int, days: int) -> Iterator[Mapping[str, str | int]]:
    for file in due[:_ROWS]:
        left = days - (now - file.modified) // _DAY
        yield {
            "file": file.file,
            "days_left": max(left, 0),
            "bytes": file.size,
            "usd": show(spent.get(file.file, 0)),
        }
    if len(due) > _ROWS:
        rest = due[_ROWS:]
        yield {
            "file": f"… {len(rest)} more",
            "days_left": max(days - (now - rest[0].modified) // _DAY, 0),
            "bytes": sum(file.size for file in rest),
            "usd": show(sum(spent.get(file.file, 0) for file in rest)),
        }

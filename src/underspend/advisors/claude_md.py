"""CLAUDE.md files: what to cut from them, and what each section costs as it is sent again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import msgspec

from underspend.advisors.claimed import DAY, Month
from underspend.advisors.claimed import Claimed as Cut
from underspend.advisors.memory_lint import Remark, lint
from underspend.advisors.memory_text import Row, rows_of, sections_of, sent_bytes
from underspend.advisors.places import folder_governed, governed
from underspend.advisors.reading import replies_of
from underspend.advisors.resends import ANYWHERE, Resends
from underspend.advisors.rule_data import rules
from underspend.core.advisor import Advisor, Claimed, Confidence, Finding, Seen, Surroundings, Urgency
from underspend.core.call import Role
from underspend.core.evidence import Evidence
from underspend.core.history import History, Timeline
from underspend.core.money import Money, scale, show
from underspend.tokens.estimate import tokens_in

__all__ = ["ClaudeMd", "Remark", "cuttable_tokens", "lint"]

_WITHOUT_MEMORY = (Role.SIDE, Role.COMPACTION)
_FIX = (
    "Cut the lines named in the rows (`underspend lint {path}` prints them), between sessions: a change while one runs"
    " rewrites its cache. Keep stack, conventions (at most 10), what never to do (at most 5), commands."
)
_WHY = (
    "Every session writes the file to the cache once and reads it again with every reply. The dollars are the text's"
    " tokens (estimated from its length) at what your own {replies} replies in the {sessions} that read it"
    " were billed for tokens in that place; the text of today is taken for the text of then."
)


class Carried(msgspec.Struct, array_like=True, gc=False):
    """What sending a memory file again and again cost: all of it, and the lines to cut; in how many replies."""

    whole: Money
    cut: Money
    replies: int
    sessions: int


class MemoryFacts(msgspec.Struct, array_like=True, gc=False):
    """Each memory file by its path, and the days (since the epoch) that had replies."""

    files: dict[str, Carried]
    days: list[int]


class ClaudeMd(Advisor[MemoryFacts]):
    """Lints each memory file, and says what its sections and the lines to cut cost in the sessions that carried it."""

    __slots__ = ()
    name: ClassVar[str] = "claude-md"
    facts: ClassVar[type] = MemoryFacts

    def look(self, history: History, around: Surroundings) -> Seen | None:
        """What each memory file cost in the sessions that carried it."""
        if not around.memory_files:
            return None
        files: dict[str, Carried] = {}
        claims: dict[str, list[Claimed]] = {}
        for path, text in sorted(around.memory_files.items()):
            timelines = _carriers(history, path, around)
            if timelines:
                memory, cut = _file(path, text), Cut(around.bills)
                resends = Resends(around.bills)
                resends.claim(timelines, memory.to_cut, cut, reach=ANYWHERE)
                files[path] = Carried(
                    whole=resends.cost(timelines, tokens_in(memory.bytes), reach=ANYWHERE),
                    cut=cut.total,
                    replies=sum(len(replies_of(line, around)) for line in timelines),
                    sessions=len({line.session for line in timelines}),
                )
                claims[f"{self.name}/{path}"] = cut.all()
        days = {reply.at // DAY for line in history.timelines for reply in replies_of(line, around)}
        return Seen(MemoryFacts(files, sorted(days)), claims)

    def sum_up(self, facts: Sequence[MemoryFacts], around: Surroundings) -> Iterable[Finding]:
        """At most one finding per file: its remarks, then the price of every section."""
        month = Month.of(day for each in facts for day in each.days)
        for path, text in sorted(around.memory_files.items()):
            carried = [each.files[path] for each in facts if path in each.files]
            found = _Report(_file(path, text), carried, month, around.memory_named_by.get(path, "")).finding()
            if found:
                yield found


@dataclass(frozen=True, slots=True)
class _File:
    """A memory file, linted. `bytes` are those that are sent, `to_cut` the tokens of lines with remarks."""

    path: str
    rows: Sequence[Row]
    remarks: Sequence[Remark]
    bytes: int
    to_cut: int


@lru_cache(maxsize=256)
def _file(path: str, text: str) -> _File:
    rows, remarks = rows_of(text), lint(text, path)
    return _File(path, rows, remarks, sum(sent_bytes(row) for row in rows), _tokens_of(_cuttable(rows, remarks)))


def cuttable_tokens(text: str, remarks: Iterable[Remark]) -> int:
    """About how many tokens the lines hold that have a remark (optional ones left out)."""
    return _tokens_of(_cuttable(rows_of(text), remarks))


def _cuttable(rows: Sequence[Row], remarks: Iterable[Remark]) -> list[Row]:
    marked: set[int] = set()
    for remark in remarks:
        if not remark.optional:
            marked.update(range(remark.line, remark.last_line + 1))
    return [row for row in rows if row.number in marked]


def _tokens_of(rows: Iterable[Row]) -> int:
    return tokens_in(sum(sent_bytes(row) for row in rows))


def _carriers(history: History, path: str, around: Surroundings) -> list[Timeline]:
    """The timelines whose prompts hold a memory file."""
    without = rules("claude_md")["loading"]["agents_without"]
    if path in around.memory_readers:
        readers = around.memory_readers[path]
        lines = [line for line in history.timelines if readers is None or line.directory in readers]
    else:
        lines = governed(history, folder_governed(path, around.settings))
    return [
        line
        for line in lines
        if line.role not in _WITHOUT_MEMORY and line.agent_type not in without and replies_of(line, around)
    ]


class _Report:
    """The finding on one memory file."""

    def __init__(self, file: _File, carried: Sequence[Carried], month: Month, named_by: str) -> None:
        self._path, self._rows, self._remarks, self._bytes = file.path, file.rows, file.remarks, file.bytes
        self._month, self._named_by = month, named_by
        self._all, self._cut = sum(each.whole for each in carried), sum(each.cut for each in carried)
        self._replies = sum(each.replies for each in carried)
        self._sessions = sum(each.sessions for each in carried)

    def finding(self) -> Finding | None:
        faults = [remark for remark in self._remarks if not remark.optional]
        if not faults and not self._all:
            return None
        return Finding(
            id=f"{ClaudeMd.name}/{self._path}",
            urgency=Urgency.FIX_NOW if faults else Urgency.FYI,
            title=self._title(len(faults)),
            amount=self._cut,
            confidence=Confidence.MEDIUM,
            evidence=Evidence.ESTIMATED,
            why=_WHY.format(replies=self._replies, sessions=self._read_by()) + self._imported(),
            fix=_FIX.format(path=self._path) if faults else "",
            claimed=(f"{ClaudeMd.name}/{self._path}",),
            rows=(*self._remark_rows(), *self._section_rows()),
        )

    def _read_by(self) -> str:
        return "session" if self._sessions == 1 else f"{self._sessions:,} sessions"

    def _imported(self) -> str:
        return f" {self._named_by} imports it." if self._named_by else ""

    def _title(self, faults: int) -> str:
        costs = f"{self._path} costs {show(self._monthly(self._all))} a month"
        if not faults:
            return f"{costs}; nothing in it to cut"
        some = "1 remark" if faults == 1 else f"{faults} remarks"
        if not self._all:
            return f"{self._path}: {some}; no session of this history carried it"
        return f"{costs}, {show(self._monthly(self._cut))} of it for lines to cut ({some})"

    def _monthly(self, amount: Money) -> Money:
        return self._month.of_amount(amount)

    def _share(self, size: int) -> Money:
        return scale(self._all, size, self._bytes) if self._bytes else 0

    def _remark_rows(self) -> Iterator[Mapping[str, str | int]]:
        for remark in self._remarks:
            size = sum(sent_bytes(row) for row in self._rows[remark.line - 1 : remark.last_line])
            cost = 0 if remark.rule == "missing-section" else size
            yield self._printable(remark.line, remark.section, remark.rule, cost, remark.message)

    def _section_rows(self) -> Iterator[Mapping[str, str | int]]:
        for section in sections_of(self._rows):
            yield self._printable(section.rows[0].number, section.title, "(whole section)", section.sent_bytes, "")

    def _printable(self, line: int, section: str, rule: str, size: int, message: str) -> Mapping[str, str | int]:
        return {
            "where": f"{self._path}:{line}",
            "section": section,
            "rule": rule,
            "tokens": tokens_in(size),
            "usd_per_month": show(self._monthly(self._share(size))),
            "message": message,
        }

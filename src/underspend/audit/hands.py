"""Who reads transcripts and looks at their sessions: this process, and for much work a second one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from underspend.audit.filed import look_at, member_of
from underspend.audit.kept import Member

if TYPE_CHECKING:
    from underspend.audit.part import Looking, Part
    from underspend.audit.second import Second
    from underspend.readers.claude_code.reading import Progress
    from underspend.readers.claude_code.records import Extract, Source

WORTH_A_PROCESS = 24_000_000
"""Bytes from which on a second process is faster than its making."""


class Hands:
    """Reads files by their index among the sources, and looks at groups of those that were read.

    `members` says of each file that was read where it stands, `unreadable` which could not be. `packed` are the parts
    that the second process made, as it handed them over, by their groups.
    """

    def __init__(self, sources: Sequence[Source], progress: Progress | None = None) -> None:
        self.members: dict[int, Member] = {}
        self.unreadable: set[int] = set()
        self._sources = sources
        self._progress = progress
        self._extracts: dict[int, Extract] = {}
        self._second: Second | None = None
        self._done = 0
        self.packed: dict[Sequence[int], bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._second is not None:
            self._second.end()

    def read(self, wanted: Collection[int]) -> None:
        """Read files that were not read yet."""
        indices = [index for index in wanted if index not in self.members]
        size = sum(self._sources[index].size for index in indices)
        if size > WORTH_A_PROCESS and self._second is None:
            self._read_by_two(indices, size)
        for index in indices:
            if index not in self.members:
                self._read_one(index, size)

    def _read_by_two(self, indices: Sequence[int], size: int) -> None:
        from underspend.audit.second import Second
        from underspend.readers.claude_code.sharing import batches

        places = {self._sources[index].raw_path: index for index in indices}
        portions = [
            [places[source.raw_path] for source in batch]
            for batch in batches([self._sources[index] for index in indices])
        ]
        second = Second.start(self._sources, portions)
        if second is None:
            return
        self._second = second
        for number in second.shares():
            self._done = sum(self._sources[index].size for portion in portions[:number] for index in portion)
            for index in portions[number]:
                self._read_one(index, size)
        for index, (member, readable) in second.read().items():
            self._take(index, member, readable=readable)

    def _read_one(self, index: int, size: int) -> None:
        from underspend.readers.claude_code.reading import read_extract

        source = self._sources[index]
        extract, readable = read_extract(source)
        self._extracts[index] = extract
        self._take(index, member_of(source, extract), readable=readable)
        self._done += source.size
        if self._progress is not None:
            self._progress(min(self._done, size), size)

    def _take(self, index: int, member: Member, *, readable: bool) -> None:
        self.members[index] = member
        if not readable:
            self.unreadable.add(index)

    def look(self, groups: Sequence[Sequence[int]], looking: Looking) -> list[Part]:
        """The part that each group of files is."""
        far = {number for number, group in enumerate(groups) if self._extracts.keys().isdisjoint(group)}
        mixed = {index for number, group in enumerate(groups) if number not in far for index in group}
        missing = sorted(mixed - self._extracts.keys())
        if self._second is not None:
            self._extracts.update(self._second.ask(missing, [list(groups[number]) for number in sorted(far)], looking))
        found = {number: self._look_at(groups[number], looking) for number in range(len(groups)) if number not in far}
        if self._second is not None:
            from underspend.audit.part import unpack

            for number, packed in zip(sorted(far), self._second.parts(), strict=False):
                self.packed[tuple(groups[number])] = packed
                found[number] = unpack(packed)
        return [found.get(number) or self._look_at(group, looking) for number, group in enumerate(groups)]

    def _look_at(self, group: Sequence[int], looking: Looking) -> Part:
        from underspend.readers.claude_code.reading import read_extract

        for index in group:
            if index not in self._extracts:
                # The second process came to harm.
                self._extracts[index] = read_extract(self._sources[index])[0]
        return look_at([(self._sources[index], self._extracts.pop(index)) for index in group], looking)

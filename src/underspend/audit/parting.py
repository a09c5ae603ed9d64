"""Transcripts → the parts of an audit: what has not changed is taken as it was kept, the rest is read and looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import xxhash

from underspend.audit.hands import Hands
from underspend.audit.kept import Kept, KeptPart, Member
from underspend.readers.claude_code.bonds import holders, together

if TYPE_CHECKING:
    from underspend.audit.part import Looking, Part
    from underspend.core.advisor import Surroundings
    from underspend.readers.claude_code.reading import Progress
    from underspend.readers.claude_code.records import Source

Gather = Callable[[Sequence[str]], "Surroundings"]
"""Gives what is around the sessions that worked in some folders."""


@dataclass(frozen=True, slots=True)
class Parted:
    """The parts of an audit, what is around them, what to keep of them, and whether there is anything new in that."""

    parts: list[Part]
    around: Surroundings
    kept: Kept
    is_new: bool


def parted(
    sources: Sequence[Source],
    kept: Kept,
    gather: Gather,
    looking: Callable[[Surroundings], Looking],
    progress: Progress | None = None,
) -> Parted:
    """The parts that some files are, in the order of the files, by at most two processes."""
    old = _Old(sources, kept)
    with Hands(sources, progress) as hands:
        hands.read([index for index in range(len(sources)) if index not in old.same])
        hands.read(old.dissolved_by(hands.members))
        groups = _groups(hands.members)
        members = {**old.same, **hands.members}
        around = gather([member.directory for _, member in sorted(members.items())])
        prints = _Fingerprints(around, members)
        # What was looked at with other settings or memory files has to be looked at again.
        stale = [group for group, part in old.parts.items() if prints.of(group) != part.around]
        hands.read([index for group in stale for index in group])
        groups += stale
        made = dict(zip(map(tuple, groups), hands.look(groups, looking(around)), strict=True))
    parts = {group: part.part() for group, part in old.parts.items() if group not in made} | made
    ordered = dict(sorted(parts.items()))
    is_new = bool(made) or kept.losses != old.losses
    return Parted(
        list(ordered.values()),
        around,
        _to_keep(kept, old, hands, made, prints) if is_new else kept,
        is_new,
    )


Group = tuple[int, ...]


class _Old:
    """What was kept, as far as it holds: files by their index among the sources, parts by their files."""

    def __init__(self, sources: Sequence[Source], kept: Kept) -> None:
        before = {member.path: number for number, member in enumerate(kept.members)}
        self.same: dict[int, Member] = {}
        places: dict[int, int] = {}
        for index, source in enumerate(sources):
            number = before.pop(source.raw_path, None)
            if number is not None and kept.members[number].is_as(source):
                self.same[index] = kept.members[number]
                places[number] = index
        self.losses = kept.losses + len(before)
        self.parts: dict[Group, KeptPart] = {}
        whole: set[int] = set()
        for part in kept.parts:
            if all(number in places for number in part.members):
                group = tuple(sorted(places[number] for number in part.members))
                self.parts[group] = part
                whole.update(group)
        self._rest = self.same.keys() - whole

    def dissolved_by(self, read: Mapping[int, Member]) -> set[int]:
        """The unchanged files to read again: their part lost a file, or one of those now read belongs to it."""
        others = [index for index in self.same if index not in read]
        touched = {
            others[place]
            for place in holders(
                [self.same[index].bonds for index in others],
                [member.bonds for index, member in read.items()],
            )
        }
        gone = [group for group in self.parts if not touched.isdisjoint(group)]
        for group in gone:
            del self.parts[group]
        return self._rest.union(*gone)


def _groups(members: Mapping[int, Member]) -> list[Group]:
    """The files that belong together, among those that were read."""
    read = sorted(members)
    return [tuple(read[place] for place in group) for group in together([members[index].bonds for index in read])]


class _Fingerprints:
    """What settings and memory files a part depends on, as a number."""

    def __init__(self, around: Surroundings, members: Mapping[int, Member]) -> None:
        from underspend.advisors.places import folder_governed, path_of

        self._members = members
        self._known: dict[str, int] = {}
        self._rules = [
            (folder_governed(path, around.settings), _number(path, around.retention_days is None, content))
            for path, content in sorted(around.settings.items())
        ]
        self._memory = [
            (around.memory_readers.get(path), _number(path, text)) for path, text in sorted(around.memory_files.items())
        ]
        self._path_of = path_of

    def of(self, group: Iterable[int]) -> int:
        """The fingerprint of what is around some files."""
        return _number(*sorted({self._in(self._members[index].directory) for index in group}))

    def _in(self, directory: str) -> int:
        known = self._known.get(directory)
        if known is None:
            place = self._path_of(directory) if directory else None
            held = [
                number
                for folder, number in self._rules
                if folder is None or (place is not None and place.is_relative_to(folder))
            ]
            held += [number for readers, number in self._memory if readers is None or directory in readers]
            known = self._known[directory] = _number(*held)
        return known


def _number(*what: object) -> int:
    return xxhash.xxh3_64_intdigest(msgspec.msgpack.encode(what))


def _to_keep(kept: Kept, old: _Old, hands: Hands, made: Mapping[Group, Part], prints: _Fingerprints) -> Kept:
    """All parts but those with a file that could not be read: that may be otherwise the next time."""
    from underspend.audit.part import pack

    parts = {group: part for group, part in old.parts.items() if group not in made}
    for group, found_anew in made.items():
        if hands.unreadable.isdisjoint(group):
            packed = hands.packed.get(group) or pack(found_anew)
            parts[group] = KeptPart([], prints.of(group), msgspec.Raw(packed))
    members: list[Member] = []
    found: list[KeptPart] = []
    for group, part in sorted(parts.items()):
        begin = len(members)
        members += [hands.members.get(index) or old.same[index] for index in group]
        found.append(KeptPart(list(range(begin, len(members))), part.around, part.packed))
    return Kept(kept.version, members, found, old.losses, kept.ledger, kept.recalled_for, kept.recalled)

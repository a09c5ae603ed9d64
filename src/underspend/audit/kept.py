"""The parts of earlier audits, kept in one file for each set of roots, so that only what is new is looked at again."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import xxhash

import underspend
from underspend.audit.part import Part, pack, unpack

if TYPE_CHECKING:
    from underspend.readers.claude_code.records import Source

_FILES = 8
_SUFFIX = ".parts"
_WATCHED = ("advisors", "audit", "core", "formats", "pricing", "readers", "tokens")


class Member(msgspec.Struct, array_like=True, gc=False):
    """A transcript that is in a part: the state in which it was read, and what it told of its place.

    `bonds` tie it to others. `in_ledger` says that its replies are in Underspend's ledger.
    """

    path: bytes
    project: str
    size: int
    modified: int
    inode: int
    directory: str
    bonds: bytes
    in_ledger: bool = False

    def is_as(self, source: Source) -> bool:
        """Whether a file is still what was read."""
        return (self.size, self.modified, self.inode, self.project) == (
            source.size,
            source.modified,
            source.inode,
            source.project,
        )


class KeptPart(msgspec.Struct, array_like=True, gc=False):
    """A part and the files in it, by their index; `around` is the fingerprint of the settings that it was made with."""

    members: list[int]
    around: int
    packed: msgspec.Raw

    def part(self) -> Part:
        """The part."""
        return unpack(self.packed)


class Kept(msgspec.Struct, array_like=True, gc=False):
    """What is kept for a set of roots. `losses` counts the transcripts that went away since they were read first.

    `ledger` names the ledger that `in_ledger` is about. `recalled` are the replies that only the ledger holds, as a
    part, as long as `recalled_for` is what they depend on.
    """

    version: str
    members: list[Member] = msgspec.field(default_factory=list)
    parts: list[KeptPart] = msgspec.field(default_factory=list)
    losses: int = 0
    ledger: str = ""
    recalled_for: str = ""
    recalled: Part | None = None


_decode = msgspec.msgpack.Decoder(Kept).decode
_SUM = 8


class Store:
    """The file of one set of roots and one way of looking at them. Without a folder nothing is kept.

    What is corrupt or of another version is absent; a folder that cannot be written to costs time and nothing else.
    """

    def __init__(self, folder: Path | None, roots: Sequence[Path], looking: str) -> None:
        asked = "\0".join([*map(os.fsdecode, roots), looking])
        name = xxhash.xxh3_64_hexdigest(asked.encode("utf-8", "surrogateescape"))
        self.path = None if folder is None else folder / f"{name}{_SUFFIX}"
        self.version = f"{version_of_code()} {looking}"

    def load(self) -> Kept:
        """What was kept."""
        nothing = Kept(self.version)
        if self.path is None:
            return nothing
        try:
            raw = self.path.read_bytes()
            if raw[:_SUM] != xxhash.xxh3_64_digest(memoryview(raw)[_SUM:]):
                return nothing
            kept = _decode(memoryview(raw)[_SUM:])
        except (OSError, msgspec.DecodeError):
            return nothing
        return kept if kept.version == self.version else nothing

    def save(self, kept: Kept) -> None:
        """Keep it for the next run."""
        if self.path is None:
            return
        packed = pack(kept)
        unfinished = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123  (an open descriptor)
                file.write(xxhash.xxh3_64_digest(packed))
                file.write(packed)
            unfinished.replace(self.path)
            _thin_out(self.path.parent)

    def note(self, paths: Collection[bytes], ledger: str, recalled_for: str | None = None) -> None:
        """Keep that the replies of some files, as they were read, are in a ledger now.

        `recalled_for` says of a new ledger that there is nothing else in it.
        """
        kept = self.load()
        if kept.ledger != ledger:
            kept.ledger = ledger
            for member in kept.members:
                member.in_ledger = False
        for member in kept.members:
            member.in_ledger = member.in_ledger or member.path in paths
        if recalled_for is not None:
            kept.recalled_for, kept.recalled = recalled_for, None
        self.save(kept)


def _thin_out(folder: Path) -> None:
    """Leave the newest files alone: other roots and zones are asked for once and never again."""
    files = sorted(folder.glob(f"*{_SUFFIX}*"), key=lambda path: -path.stat().st_mtime)
    for old in files[_FILES:]:
        old.unlink(missing_ok=True)


def version_of_code() -> str:
    """Another text for every state of the code and data that a part depends on."""
    package = Path(underspend.__file__).parent
    state = xxhash.xxh3_64()
    for name in _WATCHED:
        for where, folders, _ in os.walk(package / name):
            folders[:] = sorted(folder for folder in folders if folder != "__pycache__")
            for entry in sorted(os.scandir(where), key=lambda entry: entry.name):
                if entry.is_file():
                    stat = entry.stat()
                    state.update(f"{entry.path} {stat.st_size} {stat.st_mtime_ns}".encode("utf-8", "surrogateescape"))
    return state.hexdigest()


def zone_of_machine() -> str:
    """What days and hours of the machine's own zone depend on."""
    return f"{os.environ.get('TZ', '')} {time.tzname} {time.timezone} {time.altzone}"

"""Files that were read → what an audit keeps of them: one file as a member, several together as a part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from underspend.audit.kept import Member
from underspend.readers.claude_code.bonds import bonds_of

if TYPE_CHECKING:
    from underspend.audit.part import Looking, Part
    from underspend.readers.claude_code.records import Extract, Source


def look_at(files: Sequence[tuple[Source, Extract]], looking: Looking) -> Part:
    """The part that some files are."""
    from underspend.audit.part import part_of
    from underspend.readers.claude_code.merge import merged

    return part_of(merged(files), looking)


def member_of(source: Source, extract: Extract) -> Member:
    """A file that was read, as a member of a part."""
    return Member(
        source.raw_path,
        source.project,
        source.size,
        source.modified,
        source.inode,
        extract.directory,
        bonds_of(extract),
    )

"""What was taken from one file, in the form that is kept in the cache and passed between processes."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import msgspec

from underspend.core.history import AlwaysLoaded, Answered, ClientTotal, Mark, Result, Skipped, Typed


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read: where it is, what its place among the others says, and its state when it was found."""

    raw_path: bytes
    project: str
    size: int
    modified: int
    inode: int
    is_agent: bool = False

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(os.fsdecode(self.raw_path))

    @property
    def shown(self) -> str:
        """Where it is, as text that can be written anywhere."""
        return self.raw_path.decode("utf-8", "replace")


def row(kind: type) -> Any:
    """A class with the fields, properties and methods of a dataclass, which packs to what the dataclass unpacks from.

    It is made ten times faster, in C. Reading makes rows; who takes a packed extract gets the dataclasses.
    """
    if not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} is no dataclass")
    named: list[Any] = [
        (field.name, Any) if field.default is field.default_factory else (field.name, Any, field.default)
        for field in fields(kind)
    ]
    own = {
        name: value
        for name, value in vars(kind).items()
        if isinstance(value, (property, FunctionType)) and not name.startswith("__")
    }
    return msgspec.defstruct(kind.__name__, named, namespace=own, omit_defaults=False, gc=False)


class Part(msgspec.Struct, array_like=True, gc=False):
    """One timeline's events in one file, each kind in the order of its lines.

    `typed_ids` and `mark_ids` are the entries' own ids (hashed), equal in every copy of an entry. `inline` is an agent
    whose lines stand among those of the main loop, `nested` one known from the main loop's progress notes.
    """

    agent: str | None = None
    agent_type: str | None = None
    parent_use: str | None = None
    inline: bool = False
    nested: bool = False
    answered: list[Answered] = msgspec.field(default_factory=list)
    results: list[Result] = msgspec.field(default_factory=list)
    typed: list[Typed] = msgspec.field(default_factory=list)
    marks: list[Mark] = msgspec.field(default_factory=list)
    typed_ids: list[int] = msgspec.field(default_factory=list)
    mark_ids: list[int] = msgspec.field(default_factory=list)


class Extract(msgspec.Struct, array_like=True, gc=False):
    """Everything that a file says. `foreign` names the replies that, as the file itself says, another session made."""

    session: str
    directory: str = ""
    entrypoint: str | None = None
    first: int = 0
    last: int = 0
    lines: int = 0
    foreign: list[str] = msgspec.field(default_factory=list)
    parts: list[Part] = msgspec.field(default_factory=list)
    totals: list[ClientTotal] = msgspec.field(default_factory=list)
    loaded: list[AlwaysLoaded] = msgspec.field(default_factory=list)
    skipped: list[Skipped] = msgspec.field(default_factory=list)
    unknown: dict[str, int] = msgspec.field(default_factory=dict)


pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder(Extract).decode

"""Extracts kept between runs, one small file per transcript, so that only what changed is read again."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec
import xxhash

from underspend.readers.claude_code.records import Source

_FORMAT = 3


class _Head(msgspec.Struct, array_like=True, frozen=True):
    format: int
    path: bytes
    project: str
    size: int
    modified: int
    inode: int


_encode = msgspec.msgpack.Encoder().encode
_SUM = 8
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)


class Cache:
    """The extracts of earlier runs. What is corrupt, of another version or of another state of its file is absent."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, source: Source) -> bytes | None:
        """The packed extract of a file that has not changed since."""
        if self.folder is None:
            return None
        head = _head(source)
        try:
            with open(self._path(self.folder, source), "rb", buffering=0) as file:  # noqa: PTH123  (there may be thousands)
                kept = file.readall()
        except OSError:
            return None
        if not kept.startswith(head):
            return None
        packed = kept[len(head) + _SUM :]
        return packed if kept[len(head) : len(head) + _SUM] == xxhash.xxh3_64_digest(packed) else None

    def put(self, source: Source, packed: bytes) -> None:
        """Keep an extract. A folder that cannot be written to costs time on the next run and nothing else."""
        if self.folder is None:
            return
        path = self._path(self.folder, source)
        unfinished = f"{path}.{os.getpid()}"
        with contextlib.suppress(OSError):
            try:
                number = os.open(unfinished, _WRITE, 0o600)
            except FileNotFoundError:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                number = os.open(unfinished, _WRITE, 0o600)
            with open(number, "wb", buffering=0) as file:  # noqa: PTH123  (an open descriptor)
                file.write(b"".join((_head(source), xxhash.xxh3_64_digest(packed), packed)))
            os.replace(unfinished, path)  # noqa: PTH105  (there may be thousands)

    @staticmethod
    def _path(folder: Path, source: Source) -> str:
        return f"{folder}{os.sep}" + xxhash.xxh3_128_hexdigest(source.raw_path)


def _head(source: Source) -> bytes:
    return _encode(_Head(_FORMAT, source.raw_path, source.project, source.size, source.modified, source.inode))

"""Copies transcripts under new ids until there are enough bytes for a speed test: grow_transcripts.py DATA OUT [MB]."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

_ID = re.compile(
    rb"(?P<uuid>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)"
    rb"|(?P<name>\b(?:msg|req|toolu|srvtoolu)_[0-9A-Za-z]{10,})"
)
_MEGABYTE = 1_000_000


def renamed(data: bytes, copy: int) -> bytes:
    """The same transcript with every id of messages, requests, tools, entries and sessions replaced."""
    made: dict[bytes, bytes] = {}

    def other(found: re.Match[bytes]) -> bytes:
        old = found.group()
        new = made.get(old)
        if new is None:
            digest = hashlib.sha256(b"%d " % copy + old).hexdigest().encode()
            new = made[old] = _uuid(digest) if found.group("uuid") else _id(old, digest)
        return new

    return _ID.sub(other, data)


def _uuid(digest: bytes) -> bytes:
    return b"-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


def _id(old: bytes, digest: bytes) -> bytes:
    kind, _, rest = old.partition(b"_")
    return kind + b"_" + digest[: len(rest)].ljust(len(rest), b"0")


def grow(data: Path, out: Path, least: int) -> int:
    """Write whole rounds of copies until they hold `least` bytes; gives the bytes written."""
    files = sorted(data.rglob("*.jsonl"))
    written, copy = 0, 0
    while written < least:
        copy += 1
        folder = out / "projects" / f"copy-{copy:03}"
        folder.mkdir(parents=True, exist_ok=True)
        for path in files:
            content = renamed(path.read_bytes(), copy)
            (folder / f"{path.stem}-{copy:03}.jsonl").write_bytes(content)
            written += len(content)
            if written >= least:
                break
    return written


def main(arguments: list[str]) -> int:
    """Run from the command line."""
    data, out = Path(arguments[0]), Path(arguments[1])
    least = int(arguments[2] if len(arguments) > 2 else 500) * _MEGABYTE  # noqa: PLR2004  (the third argument)
    print(f"{grow(data, out, least) / _MEGABYTE:.0f} MB in {out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

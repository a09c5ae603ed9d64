"""The readings of a plan's limits that were seen on this machine, one JSON line each, oldest first."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from underspend.core.quota import Share, Window

_MOST_BYTES = 512 * 1024
_MOST_KEPT = 2_000  # a year of five-hour windows
_decode = msgspec.json.Decoder(Share).decode
_encode = msgspec.json.Encoder().encode


class QuotaLog:
    """A file that is appended to.

    What in it cannot be read is passed over; where it cannot be written, nothing is kept and nothing is raised: a
    status line must not fail for it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def shares(self) -> list[Share]:
        """Every reading, oldest first."""
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return []
        found: list[Share] = []
        for line in lines:
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                found.append(_decode(line))
        return sorted(found, key=_in_time)

    def note(self, shares: Iterable[Share]) -> None:
        """Keep the readings that say something new: another share, or another window, than the one before them."""
        known = self.shares()
        newest = {share.window: share for share in known}
        new = [share for share in shares if _is_news(share, newest.get(share.window))]
        if not new:
            return
        raw = b"".join(_encode(share) + b"\n" for share in new)
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "ab") as file:  # noqa: PTH123  (an open descriptor)
                file.write(raw)
            if self._path.stat().st_size > _MOST_BYTES:
                self._thin_out()

    def _thin_out(self) -> None:
        """Keep the last reading of each window, which is what it came to, in one file that stands for the old one."""
        last = {(share.window, share.resets_at): share for share in self.shares()}
        kept = sorted(last.values(), key=_in_time)[-_MOST_KEPT:]
        unfinished = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with open(os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123  (an open descriptor)
            file.write(b"".join(_encode(share) + b"\n" for share in kept))
        unfinished.replace(self._path)


def _in_time(share: Share) -> tuple[int, Window]:
    return share.at, share.window


def _is_news(share: Share, before: Share | None) -> bool:
    if before is None:
        return True
    same = (share.used_permille, share.resets_at) == (before.used_permille, before.resets_at)
    return share.at > before.at and not same

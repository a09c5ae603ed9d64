"""Sessions that are left alone, so that what strategies do can be seen against what nothing does."""

from __future__ import annotations

from dataclasses import dataclass

import xxhash

_ALL = 2**64


@dataclass(frozen=True, slots=True)
class Holdout:
    """`share` of all sessions, from 0 to 1, chosen by a hash of their id: the same ones on every machine of a team."""

    share: float

    def holds(self, session: str | None) -> bool:
        """Whether a session is left alone. Calls without one never are: they could not be compared by session."""
        if session is None or self.share <= 0:
            return False
        return xxhash.xxh3_64_intdigest(f"holdout {session}".encode()) < self.share * _ALL


NOBODY = Holdout(0)

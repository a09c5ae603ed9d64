"""The shares of a plan's limits that Claude Code shows and keeps.

Two places hold them; transcripts do not. What it hands to a status line command has, for subscribers and after a
session's first reply, `rate_limits.{five_hour,seven_day}.{used_percentage,resets_at}`, the end in seconds since the
epoch (its status line page). Its own state, `.claude.json`, has `cachedUsageUtilization`: `fetchedAtMs` and
`utilization.{five_hour,seven_day}.{utilization,resets_at}`, the end in ISO 8601 (read in 2.1.328); the client renews
that seldom, so a reading from there may be old, and its time says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from underspend.core.quota import Share, Window

STATUS_LINE = "Claude Code's status line"
STATE = "Claude Code's own state"

_SECOND = 1_000_000
_MOST_PERCENT = 10_000


class _StatusLine(msgspec.Struct):
    limits: Any = msgspec.field(default=None, name="rate_limits")


class _Cached(msgspec.Struct):
    fetched_ms: Any = msgspec.field(default=None, name="fetchedAtMs")
    utilization: Any = None


class _State(msgspec.Struct):
    """What is read of the client's state: nothing else of it is decoded."""

    cached: _Cached | None = msgspec.field(default=None, name="cachedUsageUtilization")


def of_status_line(raw: bytes, at: int) -> list[Share]:
    """The shares in what a status line command is given at a time (µs); none for anything else."""
    try:
        said = msgspec.json.decode(raw, type=_StatusLine).limits
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    return list(_shares(said, "used_percentage", at, STATUS_LINE))


def of_states(folders: Sequence[Path]) -> list[Share]:
    """The shares that the client of each folder (`~/.claude`) was told last, and when."""
    return [share for folder in folders for share in _of_state(folder)]


def _of_state(folder: Path) -> list[Share]:
    places = [folder / ".claude.json", *([folder.parent / ".claude.json"] if folder.name == ".claude" else [])]
    for place in places:
        try:
            cached = msgspec.json.decode(place.read_bytes(), type=_State).cached
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            continue
        at = _number(cached.fetched_ms) if cached else None
        return list(_shares(cached.utilization, "utilization", int(at) * 1000, STATE)) if cached and at else []
    return []


def _shares(said: Any, name: str, at: int, source: str) -> Iterator[Share]:
    for window in Window:
        each = said.get(window.value) if isinstance(said, Mapping) else None
        used = _number(each.get(name)) if isinstance(each, Mapping) else None
        end = _instant(each.get("resets_at")) if isinstance(each, Mapping) else None
        if used is not None and end is not None and 0 <= used <= _MOST_PERCENT:
            yield Share(window=window, at=at, used_permille=round(used * 10), resets_at=end, source=source)


def _instant(said: Any) -> int | None:
    """µs of seconds since the epoch, or of an ISO 8601 time with its zone."""
    number = _number(said)
    if number is not None:
        return int(number * _SECOND)
    try:
        at = datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        return None
    return None if at is None or at.tzinfo is None else int(at.timestamp() * 1000) * 1000


def _number(said: Any) -> float | None:
    """A positive number that is one; JSON's own grammar knows larger ones than any time or share."""
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    return float(said) if math.isfinite(said) and 0 <= said < 10**15 else None  # the year 33,000

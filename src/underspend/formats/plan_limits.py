"""The shares of a plan's limits that Anthropic says with each reply to a subscription's call.

`anthropic-ratelimit-unified-{5h,7d}-utilization` is a fraction of the limit, `…-reset` the window's end in seconds
since the epoch, or an RFC 3339 time as other rate-limit headers have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation

from underspend.core.quota import Share, Window

SOURCE = "the replies' headers"
_PREFIX = b"anthropic-ratelimit-unified-"
_WINDOWS = {b"5h": Window.FIVE_HOURS, b"7d": Window.SEVEN_DAYS}
_SECOND = 1_000_000
_MOST = 100  # times its limit: more than that is no share
_LATEST = 10**11  # seconds: the year 5138


def of_headers(headers: Iterable[tuple[bytes, bytes]], at: int) -> list[Share]:
    """The shares that a reply's headers say at a time (µs); none where they say none that make sense."""
    said = {name.lower()[len(_PREFIX) :]: value for name, value in headers if name[: len(_PREFIX)].lower() == _PREFIX}
    return list(_shares(said, at)) if said else []


def _shares(said: dict[bytes, bytes], at: int) -> Iterator[Share]:
    for short, window in _WINDOWS.items():
        used = _number(said.get(short + b"-utilization", b""))
        end = _instant(said.get(short + b"-reset", b""))
        if used is not None and used <= _MOST and end is not None:
            yield Share(window=window, at=at, used_permille=round(used * 1000), resets_at=end, source=SOURCE)


def _number(said: bytes) -> Decimal | None:
    try:
        number = Decimal(said.decode("ascii"))
    except (InvalidOperation, UnicodeDecodeError):
        return None
    return number if number.is_finite() and number >= 0 else None


def _instant(said: bytes) -> int | None:
    number = _number(said)
    if number is not None:
        return int(number * _SECOND) if number < _LATEST else None
    try:
        at = datetime.fromisoformat(said.decode("ascii"))
    except (ValueError, UnicodeDecodeError):
        return None
    return None if at.tzinfo is None else int(at.timestamp()) * _SECOND

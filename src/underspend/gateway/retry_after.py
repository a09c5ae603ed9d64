"""How long a provider asks to be left alone: `retry-after-ms`, else `retry-after` (RFC 9110 §10.2.3)."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

from underspend.gateway.headers import first
from underspend.gateway.transport import RawHeaders

_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,6})?")
_LONGEST = 3_600.0  # a target is never forgotten for longer: the word of one reply may be wrong
_MICRO = 1_000_000


def seconds_in(headers: RawHeaders, now: int) -> float | None:
    """Seconds from `now` (µs since the epoch), at most an hour; None where nothing that can be read is said."""
    said = first(headers, b"retry-after-ms")
    if said is not None and _NUMBER.fullmatch(said.strip()):
        return min(_LONGEST, float(said) / 1000)
    said = (first(headers, b"retry-after") or "").strip()
    if _NUMBER.fullmatch(said):
        return min(_LONGEST, float(said))
    try:
        until = parsedate_to_datetime(said).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(_LONGEST, max(0.0, until - now / _MICRO))

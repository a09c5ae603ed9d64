"""Where the parts of a JSON text stand, so that some can be replaced and every other byte stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

_KEY = re.compile(rb'[\s,]*("(?:[^"\\]|\\.)*")\s*:\s*')
_GAP = re.compile(rb"[\s,]*")
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_FAILED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_key = msgspec.json.Decoder(str).decode


class Slice(NamedTuple):
    """The bytes from `start` up to `end`."""

    start: int
    end: int


class Patch(NamedTuple):
    """New bytes for a slice; an empty slice is a place to put them in."""

    at: Slice
    new: bytes


def members(raw: bytes, whole: Slice) -> dict[str, Slice]:
    """Where the value of each key of an object stands. Nested keys of the same name are stepped over.

    Raises ValueError when it is no object, or has a key twice: the decoder keeps the last, then a step does not fit.
    """
    try:
        decoded = _decode_members(raw[whole.start : whole.end])
    except _FAILED as error:
        raise ValueError(f"no JSON object: {error}") from error
    at, found = whole.start + 1, dict[str, Slice]()
    for name, member in decoded.items():
        key, value = _KEY.match(raw, at), bytes(member)
        if key is None or _decode_key(key.group(1)) != name or not raw.startswith(value, key.end()):
            raise ValueError("a key occurs twice")
        at = key.end() + len(value)
        found[name] = Slice(key.end(), at)
    if raw[at : whole.end].strip() != b"}":
        raise ValueError("a key occurs twice")
    return found


def elements(raw: bytes, whole: Slice) -> list[Slice]:
    """Where each element of a list stands. Raises ValueError when it is no list."""
    try:
        decoded = _decode_elements(raw[whole.start : whole.end])
    except _FAILED as error:
        raise ValueError(f"no JSON list: {error}") from error
    at, found = whole.start + 1, list[Slice]()
    for element in decoded:
        value = bytes(element)
        gap = _GAP.match(raw, at)
        start = gap.end() if gap else at
        at = start + len(value)
        found.append(Slice(start, at))
    return found


def trimmed(raw: bytes) -> Slice:
    """The whole text without the white space around it."""
    start = len(raw) - len(raw.lstrip())
    return Slice(start, len(raw.rstrip()))


def patched(raw: bytes, patches: Iterable[Patch]) -> bytes:
    """The bytes with the patches in place. Those at one place are put in as given; slices may not overlap."""
    parts, at = list[bytes](), 0
    for place, new in sorted(patches, key=lambda patch: patch.at.start):
        if place.start < at:
            raise ValueError("two edits of the same bytes")
        parts += (raw[at : place.start], new)
        at = place.end
    parts.append(raw[at:])
    return b"".join(parts)

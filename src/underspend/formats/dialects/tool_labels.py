"""Ids of tool uses and names of tools that the other side would refuse, made valid and found again.

All of it is a pure function of the label, so that a use and its result keep matching, and a conversation's prefix is
the same on every turn.
"""

from __future__ import annotations

import base64
import binascii
import string
from collections.abc import Iterable

import xxhash

from underspend.formats.dialects.neutral import Tool

_PLAIN = frozenset(string.ascii_letters + string.digits + "_-")
_MARK = "uxid_"
_DIGEST = 12  # hexadecimal digits: 48 bits, within one conversation


def wrapped_id(given: str) -> str:
    """An id of letters, digits, "_" and "-" only, as Anthropic wants them. One that is already so is kept."""
    if given and _PLAIN.issuperset(given) and not given.startswith(_MARK):
        return given
    return _MARK + base64.urlsafe_b64encode(given.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def unwrapped_id(given: str) -> str:
    """The id that `wrapped_id` was given; any other id as it is."""
    if not given.startswith(_MARK):
        return given
    inner = given.removeprefix(_MARK)
    try:
        found = base64.urlsafe_b64decode(inner + "=" * (-len(inner) % 4)).decode("utf-8", "surrogatepass")
    except (binascii.Error, UnicodeDecodeError):
        return given
    return found if wrapped_id(found) == given else given


def short_id(given: str, longest: int) -> str:
    """An id of at most so many characters. A longer one keeps its beginning and ends in a digest of the whole."""
    if len(given) <= longest:
        return given
    digest = xxhash.xxh3_128_hexdigest(given.encode("utf-8", "surrogatepass"))
    return given[: max(0, longest - _DIGEST - 1)] + "_" + digest[:_DIGEST] if longest > _DIGEST else digest[:longest]


def exact_id(given: str, length: int) -> str:
    """An id of exactly so many letters and digits, as Mistral wants them. One that is already so is kept."""
    if len(given) == length and given.isascii() and given.isalnum():
        return given
    return xxhash.xxh3_128_hexdigest(given.encode("utf-8", "surrogatepass"))[:length]


def made_id(reply: str, place: int) -> str:
    """An id for the use at a place of a reply, where the provider gives none."""
    return "call_" + xxhash.xxh3_128_hexdigest(f"{reply}\0{place}".encode("utf-8", "surrogatepass"))[:24]


def sent_name(name: str, longest: int) -> str:
    """A tool's name as it is sent: with letters, digits, "_" and "-" only, and not longer than that."""
    plain = "".join(letter if letter in _PLAIN else "_" for letter in name)
    if plain == name and len(name) <= longest:
        return name
    digest = xxhash.xxh3_128_hexdigest(name.encode("utf-8", "surrogatepass"))[:8]
    return f"{plain[: longest - 9]}_{digest}"


def asked_names(tools: Iterable[Tool], longest: int) -> dict[str, str]:
    """The names as the client knows them, by the names as they were sent, for those that differ."""
    sent = ((sent_name(tool.name, longest), tool.name) for tool in tools)
    return {as_sent: name for as_sent, name in sent if as_sent != name}

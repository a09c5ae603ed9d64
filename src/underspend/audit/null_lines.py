"""Transcript lines that ccusage drops whole: those that hold one of its typed fields as null, anywhere in the line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from underspend.core.usage import Usage

_NULL = re.compile(rb'"(?:id|model|speed|version|requestId|sessionId|costUSD|isApiErrorMessage)"\s*:\s*null')
_REPLY = re.compile(rb'"usage"\s*:\s*\{')


def without_null_lines(files: Iterable[Path]) -> dict[str, Usage | None]:
    """The replies that have such a line, by message id: their usage from their other lines, None when there is none.

    Files that cannot be read are passed over.
    """
    hit: set[str] = set()
    kept: dict[str, Usage] = {}
    for path in files:
        try:
            with path.open("rb") as lines:
                for line in lines:
                    if _REPLY.search(line):
                        _note(line, hit, kept)
        except OSError:
            continue
    return {name: kept.get(name) for name in hit}


def _note(line: bytes, hit: set[str], kept: dict[str, Usage]) -> None:
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    message = _reply_of(entry)
    name = message.get("id")
    if not isinstance(name, str):
        return
    if _NULL.search(line):
        hit.add(name)
        return
    usage = _usage(message.get("usage"))
    before = kept.get(name, Usage())
    pairs = ((getattr(before, field), getattr(usage, field)) for field in Usage.__dataclass_fields__)
    kept[name] = Usage(*(max(pair) for pair in pairs))


def _reply_of(entry: Any) -> dict[str, Any]:
    found = entry
    for step in ("data", "message"):
        inner = found.get(step) if isinstance(found, dict) else None
        found = inner if isinstance(inner, dict) else found
    inner = found.get("message") if isinstance(found, dict) else None
    found = inner if isinstance(inner, dict) else found
    return found if isinstance(found, dict) else {}


def _usage(raw: Any) -> Usage:
    said = raw if isinstance(raw, dict) else {}
    split = said.get("cache_creation")
    long = _whole(split.get("ephemeral_1h_input_tokens")) if isinstance(split, dict) else 0
    return Usage(
        input=_whole(said.get("input_tokens")),
        cache_write_5m=_whole(said.get("cache_creation_input_tokens")) - long,
        cache_write_1h=long,
        cache_read=_whole(said.get("cache_read_input_tokens")),
        output=_whole(said.get("output_tokens")),
    )


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0

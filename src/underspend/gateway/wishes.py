"""What a client wishes beside its request: what it prefers where it leaves the model to us, a dry run, tags."""

from __future__ import annotations

from collections.abc import Mapping

from underspend.formats.adaptation import without
from underspend.formats.json_slices import members, patched, trimmed
from underspend.formats.lenient import decode, text
from underspend.routing.decisions import Preference

_HEADER = "x-underspend-strategy"
_FIELD = "strategy"
_TAG = "x-underspend-tag"
_DRY, _DRY_ELSEWHERE = "x-underspend-dry-run", "x-dry-run"
_MOST_TAGS = 20
_LONGEST_TAG = 64


def preferred(named: str, fields: Mapping[str, str], raw: bytes, *, default: str) -> tuple[str, bytes]:
    """What is preferred, and the body without its own field for that, which no provider knows.

    What is said nearest to the call counts: "auto:quality", then the body's `strategy`, then the header. Raises
    ValueError for a preference that there is none of, or a body that cannot be taken apart.
    """
    said = None
    if b'"strategy"' in raw:
        whole = trimmed(raw)
        where = members(raw, whole).get(_FIELD)
        if where is not None:
            said = text(decode(raw[where.start : where.end])) or "?"
            raw = patched(raw, without(raw, whole, {_FIELD}))
    wanted = named.partition(":")[2] or said or fields.get(_HEADER, "").strip() or default
    if wanted not in set(Preference):
        raise ValueError(f"there is no strategy {wanted!r}; there are {', '.join(Preference)}")
    return wanted, raw


def is_dry(fields: Mapping[str, str]) -> bool:
    """Whether the client only wants to know what would be done."""
    said = fields.get(_DRY) or fields.get(_DRY_ELSEWHERE)
    return said is not None and said.strip().lower() in {"true", "1", "yes"}


def tags_of(fields: Mapping[str, str]) -> tuple[str, ...]:
    """The tags that a client gives its call, parted by commas."""
    said = fields.get(_TAG)
    if not said:
        return ()
    return tuple(tag[:_LONGEST_TAG] for each in said.split(",") if (tag := each.strip()))[:_MOST_TAGS]

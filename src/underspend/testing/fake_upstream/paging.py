"""Lists as the API pages them: by `limit`, `after_id` and `before_id`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from underspend.testing.fake_upstream.api_error import invalid

DEFAULT_LIMIT = 20
MAX_LIMIT = 1000


def page(items: Sequence[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """One page: `{"data", "has_more", "first_id", "last_id"}`. Raises ApiError (400) for a bad limit or cursor."""
    limit = _limit(query.get("limit"))
    start, end = 0, len(items)
    ids = [item["id"] for item in items]
    if "after_id" in query:
        start = _index(ids, query["after_id"]) + 1
    elif "before_id" in query:
        end = _index(ids, query["before_id"])
        start = max(0, end - limit)
    data = list(items[start:end][:limit])
    more = start > 0 if "before_id" in query else start + len(data) < end
    return {
        "data": data,
        "has_more": more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _limit(asked: str | None) -> int:
    if asked is None:
        return DEFAULT_LIMIT
    if not asked.isdigit() or not 1 <= int(asked) <= MAX_LIMIT:
        raise invalid(f"limit: Input should be between 1 and {MAX_LIMIT}")
    return int(asked)


def _index(ids: Sequence[str], wanted: str) -> int:
    if wanted not in ids:
        raise invalid(f"cursor: {wanted} not found")
    return ids.index(wanted)

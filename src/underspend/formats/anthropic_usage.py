"""Anthropic's `usage` objects → units of the bill.

The rules, with their sources, are those of the provider's pricing and streaming documents: `message_delta.usage`
overwrites `message_start.message.usage` field by field (last non-null wins, never the maximum: server-side fallbacks
end lower than they began); `iterations[]` replaces the top level; the TTL split is only in the start.
"""

from __future__ import annotations

from underspend.core.usage import Unit, Usage
from underspend.formats.lenient import Json, count, items, obj, text


def merge(earlier: Json, later: Json) -> Json:
    """The usage after one more event: every field that the later one sets to something overwrites."""
    return {**earlier, **{name: value for name, value in later.items() if value is not None}}


def split_lanes(usage: Json) -> Usage:
    """One usage object (or one iteration) by lane.

    Without a TTL split all writes are 5m: that is what the API writes when none is asked for. A total that differs
    from the split came later than it, so the 1h part is kept and the rest is 5m (a server-tool loop's own
    breakpoints are always 5m).
    """
    split = obj(usage.get("cache_creation"))
    split_5m, split_1h = count(split.get("ephemeral_5m_input_tokens")), count(split.get("ephemeral_1h_input_tokens"))
    written = usage.get("cache_creation_input_tokens")
    total = split_5m + split_1h if written is None else count(written)
    one_hour = min(split_1h, total)
    return Usage(
        input=count(usage.get("input_tokens")),
        cache_write_5m=total - one_hour,
        cache_write_1h=one_hour,
        cache_read=count(usage.get("cache_read_input_tokens")),
        output=count(usage.get("output_tokens")),
    )


def units(usage: Json) -> tuple[Unit, ...]:
    """What is billed: each iteration where there are any, else the object itself.

    An attempt that was declined before any output, and handed to a fallback model, is not charged.
    """
    iterations = items(usage.get("iterations"))
    if not iterations:
        return (Unit("message", split_lanes(usage)),)
    split = _spare_split(usage, iterations)
    made: list[Unit] = []
    for index, iteration in enumerate(iterations):
        kind = text(iteration.get("type")) or "message"
        lanes = split_lanes({**iteration, **({"cache_creation": split} if split and kind == "message" else {})})
        handed_on = any(later.get("type") == "fallback_message" for later in iterations[index + 1 :])
        declined = handed_on and lanes.output == 0 and kind in {"message", "fallback_message"}
        made.append(Unit(kind, lanes, text(iteration.get("model")), billed=not declined))
    return tuple(made)


def _spare_split(usage: Json, iterations: list[Json]) -> Json:
    """The top level's TTL split, for the one iteration that wrote to the cache without giving its own."""
    writers = [item for item in iterations if count(item.get("cache_creation_input_tokens"))]
    lacking = len(writers) == 1 and not obj(writers[0].get("cache_creation"))
    return obj(usage.get("cache_creation")) if lacking else {}

"""The `usage` of a reply's lines → one `Metered`: the maximum per token field, whatever the order of the lines."""

from __future__ import annotations

from dataclasses import replace

from underspend.core.usage import Metered, Unit, Usage
from underspend.formats import anthropic_usage
from underspend.formats.lenient import Json, count, obj, text


def metered(usage: Json, *, model: str | None, message_id: str | None, stop_reason: str | None) -> Metered:
    """What one line says about its reply's bill."""
    credit = obj(obj(usage.get("fallback_credit")).get("status")).get("type") == "redeemed"
    reported = anthropic_usage.split_lanes(usage)
    units = anthropic_usage.units(usage) if usage.get("iterations") else (Unit("message", reported),)
    if len(units) == 1 and units[0].model is None and units[0].billed:
        # Iterations may lag behind the totals that they are part of; one alone can say nothing that they do not.
        units = (Unit(units[0].kind, larger_usage(units[0].usage, reported)),)
    return Metered(
        provider="anthropic",
        model=model,
        units=units,
        reported=reported,
        message_id=message_id,
        stop_reason=stop_reason,
        thinking_tokens=count(obj(usage.get("output_tokens_details")).get("thinking_tokens")),
        web_searches=count(obj(usage.get("server_tool_use")).get("web_search_requests")),
        service_tier=text(usage.get("service_tier")),
        speed=text(usage.get("speed")),
        inference_geo=text(usage.get("inference_geo")),
        fallback_credit=credit,
    )


def larger(one: Metered, other: Metered) -> Metered:
    """Both lines' knowledge of one reply. Neither order nor repetition matters."""
    return replace(
        one,
        model=_later(one.model, other.model),
        units=_larger_units(one.units, other.units),
        reported=larger_usage(one.reported, other.reported),
        stop_reason=_later(one.stop_reason, other.stop_reason),
        thinking_tokens=max(one.thinking_tokens, other.thinking_tokens),
        web_searches=max(one.web_searches, other.web_searches),
        service_tier=_later(one.service_tier, other.service_tier),
        speed=_later(one.speed, other.speed),
        inference_geo=_later(one.inference_geo, other.inference_geo),
        fallback_credit=one.fallback_credit or other.fallback_credit,
    )


def larger_usage(one: Usage, other: Usage) -> Usage:
    """The maximum of each token field as the API gives them: writes in total, and of these the ones for an hour."""
    written = max(one.cache_write_5m + one.cache_write_1h, other.cache_write_5m + other.cache_write_1h)
    one_hour = max(one.cache_write_1h, other.cache_write_1h)
    return Usage(
        input=max(one.input, other.input),
        cache_write_5m=written - one_hour,
        cache_write_1h=one_hour,
        cache_read=max(one.cache_read, other.cache_read),
        output=max(one.output, other.output),
    )


def _larger_units(one: tuple[Unit, ...], other: tuple[Unit, ...]) -> tuple[Unit, ...]:
    if len(one) != len(other):
        return max(one, other, key=len)
    return tuple(
        Unit(max(a.kind, b.kind), larger_usage(a.usage, b.usage), _later(a.model, b.model), a.billed or b.billed)
        for a, b in zip(one, other, strict=True)
    )


def _later(one: str | None, other: str | None) -> str | None:
    """Whichever is known; of two, the same one in either order."""
    return max(one or "", other or "") or None

"""The `usage` of a reply's lines → one bill: the maximum per token field, whatever the order of the lines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from underspend.core.usage import Metered, Unit, Usage
from underspend.formats import anthropic_usage
from underspend.formats.lenient import count, items, obj
from underspend.readers.claude_code.records import row
from underspend.readers.claude_code.shapes import Message, Tokens, loads, object_in

_Metered = row(Metered)
_Unit = row(Unit)
_Usage = row(Usage)
_PLAUSIBLE = 10**9
_NO_ITERATIONS = (b"", b"[]", b"null")


class Bill(msgspec.Struct, gc=False):
    """What a reply's lines say about its bill, so far."""

    input: int = 0
    written: int = 0
    one_hour: int = 0
    read: int = 0
    output: int = 0
    units: tuple[Unit, ...] = ()
    model: str | None = None
    stop_reason: str | None = None
    thinking: int = 0
    searches: int = 0
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    credit: bool = False
    last: Tokens | None = None

    def take(self, message: Message) -> None:
        """Learn from one more line."""
        if message.model and message.model != self.model:
            self.model = _later(self.model, message.model)
        if message.stop_reason and message.stop_reason != self.stop_reason:
            self.stop_reason = _later(self.stop_reason, message.stop_reason)
        usage = message.usage
        if usage is None or usage == self.last:
            return
        self.last = usage
        self._lanes(usage)
        if (usage.speed, usage.service_tier, usage.inference_geo) != (
            self.speed,
            self.service_tier,
            self.inference_geo,
        ):
            self.speed = _later(self.speed, usage.speed)
            self.service_tier = _later(self.service_tier, usage.service_tier)
            self.inference_geo = _later(self.inference_geo, usage.inference_geo)
        if usage.server_tools is not None and usage.server_tools.searches:
            self.searches = max(self.searches, usage.server_tools.searches)
        if usage.details is not None:
            self.thinking = max(self.thinking, usage.details.thinking or 0)
        if usage.iterations and bytes(usage.iterations) not in _NO_ITERATIONS:
            self.units = larger_units(self.units, _units(usage))
        if usage.fallback_credit and bytes(usage.fallback_credit) != b"null":
            self.credit = self.credit or _redeemed(usage.fallback_credit)

    def _lanes(self, usage: Tokens) -> None:
        # Comparisons and no calls of `max`: this runs for nearly every line of years.
        if usage.input and usage.input > self.input:
            self.input = usage.input
        if usage.output and usage.output > self.output:
            self.output = usage.output
        if usage.read and usage.read > self.read:
            self.read = usage.read
        five, hour = 0, 0
        if usage.split is not None:
            five, hour = usage.split.five_minutes or 0, usage.split.one_hour or 0
        # A total that differs from the split came later than it; `formats.anthropic_usage` has the rule.
        written = max(0, five) + max(0, hour) if usage.written is None else usage.written
        if written > self.written:  # noqa: PLR1730  (as above)
            self.written = written
        if hour > 0 and written > 0:
            self.one_hour = max(self.one_hour, min(hour, written))

    def metered(self, message_id: str) -> Any:
        """The bill, as a row of `Metered`."""
        hour = self.one_hour
        if max(self.input, self.written, self.read, self.output) > _PLAUSIBLE:
            self.input, self.written, self.read = count(self.input), count(self.written), count(self.read)
            self.output, hour = count(self.output), min(hour, count(self.written))
        reported = _Usage(self.input, self.written - hour, hour, self.read, self.output)
        return _Metered(
            "anthropic",
            self.model,
            self._billed(reported),
            reported,
            message_id,
            self.stop_reason,
            self.thinking and count(self.thinking),
            self.searches and count(self.searches),
            self.service_tier,
            self.speed,
            self.inference_geo,
            fallback_credit=self.credit,
        )

    def _billed(self, reported: Any) -> tuple[Any, ...]:
        # Iterations may lag behind the totals that they are part of; one alone says nothing that the totals do not.
        if self.units and (len(self.units) > 1 or any(unit.model or not unit.billed for unit in self.units)):
            return self.units
        return (_Unit("message", reported),)


def _units(usage: Tokens) -> tuple[Unit, ...]:
    iterations = items(loads(usage.iterations))
    split = {} if usage.split is None else msgspec.to_builtins(usage.split)
    return anthropic_usage.units({"iterations": iterations, "cache_creation": split}) if iterations else ()


def _redeemed(credit: msgspec.Raw) -> bool:
    return obj(object_in(credit).get("status")).get("type") == "redeemed"


def larger(one: Metered, other: Metered) -> Metered:
    """Two files' knowledge of one reply. Neither order nor repetition matters."""
    # What one process read itself are rows, what it got from another are the dataclasses.
    with_changes: Any = msgspec.structs.replace if isinstance(one, msgspec.Struct) else replace
    found: Metered = with_changes(
        one,
        model=_later(one.model, other.model),
        units=larger_units(one.units, other.units),
        reported=larger_usage(one.reported, other.reported),
        stop_reason=_later(one.stop_reason, other.stop_reason),
        thinking_tokens=max(one.thinking_tokens, other.thinking_tokens),
        web_searches=max(one.web_searches, other.web_searches),
        service_tier=_later(one.service_tier, other.service_tier),
        speed=_later(one.speed, other.speed),
        inference_geo=_later(one.inference_geo, other.inference_geo),
        fallback_credit=one.fallback_credit or other.fallback_credit,
    )
    return found


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


def larger_units(one: tuple[Unit, ...], other: tuple[Unit, ...]) -> tuple[Unit, ...]:
    """Each unit at its largest; where one side knows more units, those."""
    if len(one) != len(other):
        return max(one, other, key=len)
    return tuple(
        Unit(max(a.kind, b.kind), larger_usage(a.usage, b.usage), _later(a.model, b.model), a.billed or b.billed)
        for a, b in zip(one, other, strict=True)
    )


def _later(one: str | None, other: str | None) -> str | None:
    """Whichever is known; of two, the same one in either order."""
    if one == other or not other:
        return one
    return max(one or "", other or "") or None

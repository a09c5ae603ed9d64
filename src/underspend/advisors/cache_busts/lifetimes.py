"""What the other cache lifetime would have cost over the user's own gaps."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from underspend.advisors.cache_busts.causes import HOUR, Cause
from underspend.advisors.cache_busts.ledger import Line
from underspend.advisors.reading import MINUTE, Part, Step
from underspend.core.advisor import Claimed, RateSource
from underspend.core.money import Money
from underspend.core.usage import Lane

SHORT = 5 * MINUTE
"""The shorter lifetime on sale."""


class Longer(msgspec.Struct, array_like=True, gc=False):
    """Had what was written for five minutes been written for an hour.

    `spared` is what the rewrites after breaks of up to an hour cost, `extra` what the dearer writes would have cost;
    `breaks` counts the rewrites.
    """

    spared: Money = 0
    extra: Money = 0
    breaks: int = 0

    @classmethod
    def added(cls, parts: Iterable[Longer]) -> Longer:
        """The sum of several parts."""
        total = cls()
        for part in parts:
            total.spared += part.spared
            total.extra += part.extra
            total.breaks += part.breaks
        return total

    @property
    def gain(self) -> Money:
        """What it would have saved; negative where it would have cost more."""
        return self.spared - self.extra

    @property
    def break_even(self) -> int:
        """How many such breaks pay for the dearer writes; 0 when there was none to judge by."""
        return -(-self.extra * self.breaks // self.spared) if self.spared else 0


class Shorter(msgspec.Struct, array_like=True, gc=False):
    """Had what was written for an hour been written for five minutes.

    `spared` is what the cheaper writes, `writes` of them, would have saved, `extra` what breaks of over five minutes,
    which the hour bridged, would have cost in rewrites; `breaks` counts those.
    """

    spared: Money = 0
    writes: int = 0
    extra: Money = 0
    breaks: int = 0

    @classmethod
    def added(cls, parts: Iterable[Shorter]) -> Shorter:
        """The sum of several parts."""
        total = cls()
        for part in parts:
            total.spared += part.spared
            total.writes += part.writes
            total.extra += part.extra
            total.breaks += part.breaks
        return total

    @property
    def gain(self) -> Money:
        """What it would have saved; negative where it would have cost more."""
        return self.spared - self.extra


def longer(lines: Iterable[Line], rates: RateSource) -> Longer:
    """The replay of five-minute writes as one-hour writes."""
    total = Longer()
    for line in lines:
        for at, step in enumerate(line.row):
            rewrite = line.rewrites.get(at)
            avoided = 0
            if rewrite is not None and rewrite.reason.cause is Cause.SHORT_BREAK:
                avoided = rewrite.tokens
                total.spared += rewrite.amount
                total.breaks += 1
            total.extra += _dearer(step, avoided, rates)
    return total


def shorter(lines: Iterable[Line], rates: RateSource) -> tuple[Shorter, list[Claimed]]:
    """The replay of one-hour writes as five-minute writes, with what each cheaper write would have spared."""
    total = Shorter()
    claims: list[Claimed] = []
    for line in lines:
        for at, step in enumerate(line.row):
            claims += _cheaper(step, rates)
            earlier = line.row[at - 1] if at else None
            if earlier is None or at in line.rewrites or rates.ttl_micros(earlier.reply) <= SHORT:
                continue
            if SHORT < step.gap(earlier) <= HOUR and step.prompt.read:
                total.extra += _rewritten(step, rates)
                total.breaks += 1
    total.writes, total.spared = len(claims), sum(amount for _, _, amount in claims)
    return total, claims


def _dearer(step: Step, avoided: int, rates: RateSource) -> Money:
    """What the reply's short writes would have cost more as long ones, less what would not have been written."""
    prompt = step.prompt
    left = prompt.between(prompt.read + avoided, prompt.size) if avoided else prompt.parts
    kept = [part for part in left if _short(part)]
    long = step.prompt.rate_in(Lane.CACHE_WRITE_1H, step.reply, rates) if kept else None
    return sum(part.tokens * max(long - part.rate, 0) for part in kept) if long is not None else 0


def _cheaper(step: Step, rates: RateSource) -> list[Claimed]:
    long = [part for part in step.prompt.parts if part.lane is Lane.CACHE_WRITE_1H]
    short = step.prompt.rate_in(Lane.CACHE_WRITE_5M, step.reply, rates) if long else None
    if short is None or long[0].rate <= short:
        return []
    amount = long[0].tokens * (long[0].rate - short)
    return [(step.reply.message_id, Lane.CACHE_WRITE_1H, amount)]


def _rewritten(step: Step, rates: RateSource) -> Money:
    """What it would have cost to write what the reply read."""
    short = step.prompt.rate_in(Lane.CACHE_WRITE_5M, step.reply, rates)
    read = step.prompt.rate_of(Lane.CACHE_READ)
    return step.prompt.read * max(short - read, 0) if short is not None and read is not None else 0


def _short(part: Part) -> bool:
    return part.lane is Lane.CACHE_WRITE_5M and part.rate > 0

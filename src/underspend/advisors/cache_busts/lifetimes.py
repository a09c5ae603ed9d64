"""What the other cache lifetime would have cost over the user's own gaps."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from underspend.advisors.cache_busts.causes import HOUR, Cause
from underspend.advisors.cache_busts.ledger import Line
from underspend.advisors.reading import MINUTE, Step
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
        avoided: dict[int, int] = {}
        for at, rewrite in line.rewrites.items():
            if rewrite.reason.cause is Cause.SHORT_BREAK:
                avoided[at] = rewrite.tokens
                total.spared += rewrite.amount
                total.breaks += 1
        for at, step in enumerate(line.row):
            if step.prompt.short > 0 and step.prompt.short_rate > 0:
                total.extra += _dearer(step, avoided.get(at, 0), rates)
    return total


def shorter(lines: Iterable[Line], rates: RateSource) -> tuple[Shorter, list[Claimed]]:
    """The replay of one-hour writes as five-minute writes, with what each cheaper write would have spared."""
    total = Shorter()
    claims: list[Claimed] = []
    for line in lines:
        earlier: Step | None = None
        for at, step in enumerate(line.row):
            before, earlier = earlier, step
            if step.prompt.long > 0:
                claims += _cheaper(step, rates)
            if before is None or not SHORT < step.asked - before.asked <= HOUR or not step.prompt.read:
                continue
            if at not in line.rewrites and rates.ttl_micros(before.reply) > SHORT:
                total.extra += _rewritten(step, rates)
                total.breaks += 1
    total.writes, total.spared = len(claims), sum(amount for _, _, amount in claims)
    return total, claims


def _dearer(step: Step, avoided: int, rates: RateSource) -> Money:
    """What the reply's short writes would have cost more as long ones, less what would not have been written."""
    prompt = step.prompt
    # Long writes stand before the short ones.
    tokens = min(prompt.short, max(prompt.long + prompt.short - avoided, 0)) if avoided else prompt.short
    long = prompt.rate_in(Lane.CACHE_WRITE_1H, step.reply, rates) if tokens else None
    return tokens * max(long - prompt.short_rate, 0) if long is not None else 0


def _cheaper(step: Step, rates: RateSource) -> list[Claimed]:
    prompt = step.prompt
    short = prompt.rate_in(Lane.CACHE_WRITE_5M, step.reply, rates)
    if short is None or prompt.long_rate <= short:
        return []
    amount = prompt.long * (prompt.long_rate - short)
    return [(step.reply.message_id, Lane.CACHE_WRITE_1H, amount)]


def _rewritten(step: Step, rates: RateSource) -> Money:
    """What it would have cost to write what the reply read."""
    short = step.prompt.rate_in(Lane.CACHE_WRITE_5M, step.reply, rates)
    read = step.prompt.rate_of(Lane.CACHE_READ)
    return step.prompt.read * max(short - read, 0) if short is not None and read is not None else 0

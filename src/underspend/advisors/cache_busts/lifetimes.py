"""What the other cache lifetime would have cost over the user's own gaps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from underspend.advisors.cache_busts.causes import HOUR, Cause
from underspend.advisors.cache_busts.ledger import Line
from underspend.advisors.reading import MINUTE, Part, Step
from underspend.core.advisor import Claim, RateSource
from underspend.core.money import Money
from underspend.core.usage import Lane

SHORT = 5 * MINUTE
"""The shorter lifetime on sale."""


@dataclass(slots=True)
class Longer:
    """Had what was written for five minutes been written for an hour.

    `spared` is what the rewrites after breaks of up to an hour cost, `extra` what the dearer writes would have cost;
    `breaks` counts the rewrites.
    """

    spared: Money = 0
    extra: Money = 0
    breaks: int = 0

    @property
    def gain(self) -> Money:
        """What it would have saved; negative where it would have cost more."""
        return self.spared - self.extra

    @property
    def break_even(self) -> int:
        """How many such breaks pay for the dearer writes; 0 when there was none to judge by."""
        return -(-self.extra * self.breaks // self.spared) if self.spared else 0


@dataclass(slots=True)
class Shorter:
    """Had what was written for an hour been written for five minutes.

    `claims` are what the cheaper writes would have spared, `extra` what breaks of over five minutes, which the hour
    bridged, would have cost in rewrites; `breaks` counts those.
    """

    claims: list[Claim] = field(default_factory=list)
    extra: Money = 0
    breaks: int = 0

    @property
    def spared(self) -> Money:
        """What the cheaper writes would have saved."""
        return sum(claim.amount for claim in self.claims)

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


def shorter(lines: Iterable[Line], rates: RateSource) -> Shorter:
    """The replay of one-hour writes as five-minute writes."""
    total = Shorter()
    for line in lines:
        for at, step in enumerate(line.row):
            total.claims += _cheaper(step, rates)
            earlier = line.row[at - 1] if at else None
            if earlier is None or at in line.rewrites or rates.ttl_micros(earlier.reply) <= SHORT:
                continue
            if SHORT < step.gap(earlier) <= HOUR and step.prompt.read:
                total.extra += _rewritten(step, rates)
                total.breaks += 1
    return total


def _dearer(step: Step, avoided: int, rates: RateSource) -> Money:
    """What the reply's short writes would have cost more as long ones, less what would not have been written."""
    prompt = step.prompt
    left = prompt.between(prompt.read + avoided, prompt.size) if avoided else prompt.parts
    kept = [part for part in left if _short(part)]
    long = step.prompt.rate_in(Lane.CACHE_WRITE_1H, step.reply, rates) if kept else None
    return sum(part.tokens * max(long - part.rate, 0) for part in kept) if long is not None else 0


def _cheaper(step: Step, rates: RateSource) -> list[Claim]:
    long = [part for part in step.prompt.parts if part.lane is Lane.CACHE_WRITE_1H]
    short = step.prompt.rate_in(Lane.CACHE_WRITE_5M, step.reply, rates) if long else None
    if short is None or long[0].rate <= short:
        return []
    amount = long[0].tokens * (long[0].rate - short)
    return [Claim(message_id=step.reply.message_id, lane=Lane.CACHE_WRITE_1H, amount=amount)]


def _rewritten(step: Step, rates: RateSource) -> Money:
    """What it would have cost to write what the reply read."""
    short = step.prompt.rate_in(Lane.CACHE_WRITE_5M, step.reply, rates)
    read = step.prompt.rate_of(Lane.CACHE_READ)
    return step.prompt.read * max(short - read, 0) if short is not None and read is not None else 0


def _short(part: Part) -> bool:
    return part.lane is Lane.CACHE_WRITE_5M and part.rate > 0

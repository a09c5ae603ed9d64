"""The prompt of a reply as a line of tokens, each stretch of it with what it was billed at."""

from __future__ import annotations

import msgspec

from underspend.core.advisor import RateSource
from underspend.core.history import Answered
from underspend.core.money import Money, scale
from underspend.core.reply import Bill
from underspend.core.usage import PLACES, Lane, Usage

PROMPT_ORDER = (Lane.CACHE_READ, Lane.CACHE_WRITE_1H, Lane.CACHE_WRITE_5M, Lane.INPUT)
"""How the lanes lie in a prompt: what was read comes first, long writes precede short ones, fresh tokens are last."""

_READ, _LONG, _SHORT, _FRESH = PROMPT_ORDER
_NOT_THE_PROMPT = frozenset({"advisor_message", "compaction"})


class Part(msgspec.Struct, frozen=True, gc=False):
    """So many tokens of a prompt that were billed in one lane at one rate (pico-dollars per token)."""

    lane: Lane
    tokens: int
    rate: Money

    @property
    def amount(self) -> Money:
        """What these tokens cost."""
        return self.tokens * self.rate


class Prompt(msgspec.Struct, gc=False):
    """The prompt a reply was asked with. `warm` is how many tokens it left in the cache, `read` how many it found.

    Then come tokens written for an hour (`long`), for five minutes (`short`) and sent plain (`fresh`), and what a token
    of each cost: rounded down, so that the parts of a prompt never add up to more than its bill, and 0 where there is
    no such token or no price.
    """

    size: int
    read: int
    warm: int
    long: int = 0
    short: int = 0
    fresh: int = 0
    read_rate: Money = 0
    long_rate: Money = 0
    short_rate: Money = 0
    fresh_rate: Money = 0

    @property
    def parts(self) -> tuple[Part, ...]:
        """The prompt in its order, without empty parts."""
        return tuple([Part(lane, tokens, rate) for lane, tokens, rate in self._lanes() if tokens > 0])

    def _lanes(self) -> tuple[tuple[Lane, int, Money], ...]:
        return (
            (_READ, self.read, self.read_rate),
            (_LONG, self.long, self.long_rate),
            (_SHORT, self.short, self.short_rate),
            (_FRESH, self.fresh, self.fresh_rate),
        )

    def between(self, start: int, stop: int) -> list[Part]:
        """The tokens at positions `start` to `stop`, as they were billed; what lies outside the prompt is left out."""
        if 0 <= start < stop <= self.read:
            return [Part(_READ, stop - start, self.read_rate)]
        found = []
        at = 0
        for lane, size, rate in self._lanes():
            end = at + size
            if end > start and at < stop and size > 0:
                tokens = (end if end < stop else stop) - (at if at > start else start)  # noqa: FURB136  (as in `paid`)
                if tokens > 0:
                    found.append(Part(lane, tokens, rate))
            at = end
        return found

    def paid(self, start: int, stop: int) -> Money:
        """What the tokens at positions `start` to `stop` cost."""
        at = self.read
        if 0 <= start < stop <= at:
            return (stop - start) * self.read_rate
        if start < 0 or stop <= start or (self.long and self.short):
            return sum([part.amount for part in self.between(start, stop)])
        # Nearly all prompts were written with one lifetime.
        written, rate = (self.long, self.long_rate) if self.long else (self.short, self.short_rate)
        after = at + written
        if at <= start and stop <= after:
            return (stop - start) * rate
        total = 0
        if start < at:
            total, start = (at - start) * self.read_rate, at
        if start < after:
            end = stop if stop < after else after  # noqa: FURB136  (asked for every result of years)
            total, start = total + (end - start) * rate, end
        end = stop if stop < after + self.fresh else after + self.fresh  # noqa: FURB136  (as above)
        return total + (end - start) * self.fresh_rate if end > start else total

    def above_reading(self, start: int, stop: int) -> Money:
        """What these tokens cost above what reading all of them would have: below 0 where not all were sent."""
        return self.paid(start, stop) - (stop - start) * self.read_rate

    def rate_of(self, lane: Lane) -> Money | None:
        """What a token of the lane cost in this prompt; None when it has none."""
        if lane is _READ:
            return self.read_rate if self.read > 0 else None
        if lane is _SHORT:
            return self.short_rate if self.short > 0 else None
        if lane is _LONG:
            return self.long_rate if self.long > 0 else None
        return self.fresh_rate if lane is _FRESH and self.fresh > 0 else None

    def rate_in(self, lane: Lane, reply: Answered, rates: RateSource) -> Money | None:
        """What a token of the lane cost or would have cost in this prompt; None for an unpriced model.

        A lane that the prompt does not use is held to the listed rate, times whatever the reply was charged above or
        below the list (a place's premium, a batch's discount).
        """
        paid = self.rate_of(lane)
        if paid is not None:
            return paid or None
        model = reply.metered.model or reply.asked_model
        if model is None:
            return None
        row = rates.rates(model, reply.at, self.size)
        listed, known = row[PLACES[lane]], self._last()
        if listed is None or known is None:
            return listed
        own, rate = known
        base = row[PLACES[own]]
        if base == rate:
            return listed if base else None
        return scale(listed, rate, base) if base and rate else None

    def _last(self) -> tuple[Lane, Money] | None:
        """The last lane that has any tokens, and its rate."""
        if self.fresh > 0:
            return _FRESH, self.fresh_rate
        if self.short > 0:
            return _SHORT, self.short_rate
        if self.long > 0:
            return _LONG, self.long_rate
        return (_READ, self.read_rate) if self.read > 0 else None


EMPTY = Prompt(0, 0, 0)
"""The prompt of a reply without any (an error the client wrote down as a reply)."""


def prompt_of(reply: Answered, bill: Bill | None) -> Prompt:
    """The prompt of a reply as it was first sent.

    Where a reply is several passes over one prompt (server tools), the first pass is the prompt and the last one says
    what was left warm. Passes of other models (advisors) and compaction passes are not its prompt.
    """
    units = reply.metered.units
    if len(units) == 1:
        unit = units[0]
        return EMPTY if unit.kind in _NOT_THE_PROMPT else _whole(unit.usage, bill)
    own = [index for index, unit in enumerate(units) if unit.billed and unit.kind not in _NOT_THE_PROMPT]
    if not own:
        return EMPTY
    usage, closing = units[own[0]].usage, units[own[-1]].usage
    read, long, short, fresh = usage.cache_read, usage.cache_write_1h, usage.cache_write_5m, usage.input
    warm = closing.cache_read + closing.cache_write_1h + closing.cache_write_5m
    made = Prompt(read + long + short + fresh, read, warm, long, short, fresh)
    if bill is not None:
        _rate(made, own[0], bill)
    return made


def _whole(usage: Usage, bill: Bill | None) -> Prompt:
    """The prompt of a reply that is one pass, as nearly all are: all that was billed in a lane is of this prompt."""
    read, long, short, fresh = usage.cache_read, usage.cache_write_1h, usage.cache_write_5m, usage.input
    warm = read + long + short
    if bill is None:
        return Prompt(warm + fresh, read, warm, long, short, fresh)
    of_fresh, of_short, of_long, of_read, _ = bill.by_lane
    return Prompt(
        warm + fresh,
        read,
        warm,
        long,
        short,
        fresh,
        of_read // read if read > 0 else 0,
        of_long // long if long else 0,
        of_short // short if short else 0,
        of_fresh // fresh if fresh else 0,
    )


def _rate(prompt: Prompt, unit: int, bill: Bill) -> None:
    """Tell a prompt what its tokens were billed at."""
    for line in bill.lines:
        tokens = line.tokens
        if line.unit != unit or not tokens:
            continue
        lane = line.lane
        if lane is _READ:
            prompt.read_rate = line.amount // tokens if prompt.read > 0 else 0
        elif lane is _SHORT:
            prompt.short_rate = line.amount // tokens
        elif lane is _LONG:
            prompt.long_rate = line.amount // tokens
        elif lane is _FRESH:
            prompt.fresh_rate = line.amount // tokens

"""The prompt of a reply as a line of tokens, each stretch of it with what it was billed at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from underspend.core.advisor import RateSource
from underspend.core.history import Answered
from underspend.core.money import Money, scale
from underspend.core.reply import Bill
from underspend.core.usage import Lane, Metered, Usage

PROMPT_ORDER = (Lane.CACHE_READ, Lane.CACHE_WRITE_1H, Lane.CACHE_WRITE_5M, Lane.INPUT)
"""How the lanes lie in a prompt: what was read comes first, long writes precede short ones, fresh tokens are last."""

_NOT_THE_PROMPT = frozenset({"advisor_message", "compaction"})


class Part(NamedTuple):
    """So many tokens of a prompt that were billed in one lane at one rate (pico-dollars per token)."""

    lane: Lane
    tokens: int
    rate: Money

    @property
    def amount(self) -> Money:
        """What these tokens cost."""
        return self.tokens * self.rate


@dataclass(slots=True)
class Prompt:
    """The prompt a reply was asked with. `warm` is how many tokens it left in the cache, `read` how many it found."""

    size: int
    read: int
    warm: int
    _usage: Usage
    _unit: int
    _bill: Bill | None
    _parts: tuple[Part, ...] | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The prompt in its order, without empty parts, at the rates of the bill: 0 where it has none (unpriced)."""
        # Made when first asked for: most advisors look into few of the prompts that they pass.
        if self._parts is None:
            self._parts = _parts(self._usage, self._unit, self._bill)
        return self._parts

    @property
    def read_rate(self) -> Money:
        """What a token read from the cache cost in this prompt; 0 where none was."""
        return self.parts[0].rate if self.read > 0 else 0

    def between(self, start: int, stop: int) -> list[Part]:
        """The tokens at positions `start` to `stop`, as they were billed; what lies outside the prompt is left out."""
        if 0 <= start < stop <= self.read:
            return [Part(Lane.CACHE_READ, stop - start, self.parts[0].rate)]
        found = []
        at = 0
        for part in self.parts:
            end = at + part.tokens
            tokens = min(end, stop) - max(at, start)
            if tokens > 0:
                found.append(Part(part.lane, tokens, part.rate))
            at = end
        return found

    def paid(self, start: int, stop: int) -> Money:
        """What the tokens at positions `start` to `stop` cost."""
        if 0 <= start < stop <= self.read:
            return (stop - start) * self.parts[0].rate
        total = at = 0
        for _, tokens, rate in self.parts:
            total += max(min(at + tokens, stop) - max(at, start), 0) * rate
            at += tokens
        return total

    def rate_of(self, lane: Lane) -> Money | None:
        """What a token of the lane cost in this prompt; None when it has none."""
        for part in self.parts:
            if part.lane is lane:
                return part.rate
        return None

    def rate_in(self, lane: Lane, reply: Answered, rates: RateSource) -> Money | None:
        """What a token of the lane cost or would have cost in this prompt; None for an unpriced model.

        A lane that the prompt does not use is held to the listed rate, times whatever the reply was charged above or
        below the list (a place's premium, a batch's discount).
        """
        paid = self.rate_of(lane)
        if paid is not None:
            return paid or None
        model = reply.metered.model or reply.asked_model
        listed = None if model is None else rates.rate(model, lane, reply.at, self.size)
        if model is None or listed is None or not self.parts:
            return listed
        known = self.parts[-1]
        base = rates.rate(model, known.lane, reply.at, self.size)
        return scale(listed, known.rate, base) if base and known.rate else None


EMPTY = Prompt(0, 0, 0, Usage(), 0, None)
"""The prompt of a reply without any (an error the client wrote down as a reply)."""


def prompt_of(reply: Answered, bill: Bill | None) -> Prompt:
    """The prompt of a reply as it was first sent.

    Where a reply is several passes over one prompt (server tools), the first pass is the prompt and the last one says
    what was left warm. Passes of other models (advisors) and compaction passes are not its prompt.
    """
    first, last = _passes(reply.metered)
    if first is None or last is None:
        return EMPTY
    usage, closing = reply.metered.units[first].usage, reply.metered.units[last].usage
    warm = closing.cache_read + closing.cache_write_1h + closing.cache_write_5m
    return Prompt(usage.prompt, usage.cache_read, warm, usage, first, bill)


def _passes(metered: Metered) -> tuple[int | None, int | None]:
    units = metered.units
    if len(units) == 1:
        return (0, 0) if units[0].kind not in _NOT_THE_PROMPT else (None, None)
    own = [index for index, unit in enumerate(units) if unit.billed and unit.kind not in _NOT_THE_PROMPT]
    return (own[0], own[-1]) if own else (None, None)


def _parts(usage: Usage, unit: int, bill: Bill | None) -> tuple[Part, ...]:
    # Rounded down, so that the parts of a prompt never add up to more than its bill.
    lines = bill.lines if bill is not None else ()
    rates = {line.lane: line.amount // line.tokens for line in lines if line.unit == unit and line.tokens}
    return tuple(
        [
            Part(lane, tokens, rates.get(lane, 0))
            for lane, tokens in (
                (Lane.CACHE_READ, usage.cache_read),
                (Lane.CACHE_WRITE_1H, usage.cache_write_1h),
                (Lane.CACHE_WRITE_5M, usage.cache_write_5m),
                (Lane.INPUT, usage.input),
            )
            if tokens > 0
        ]
    )

"""What earlier calls say of those to come, and what a change of the prompt costs: integers only.

Chances are kept as fractions (`Chance`), so that they can be multiplied with pico-dollars without a float.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from underspend.core.call import Block, Section
from underspend.core.context import Context
from underspend.core.money import Money
from underspend.core.ports import Rates

_LONG = "1h"
_BEARABLE_PART = 50
"""A conversation may at most come to cost 1/50 (2 %) more than it has, for the sake of savings to come."""


@dataclass(frozen=True, slots=True)
class Chance:
    """`hits` out of `of`."""

    hits: int
    of: int

    def weighs_more(self, gain: Money, loss: Money) -> bool:
        """Whether the gain times its chance is more than a loss that is certain."""
        return self.hits * gain > loss * self.of

    def seen(self, values: Sequence[int], above: int, upto: int, *, prior: int) -> Chance:
        """The chance that the next value is in (above, upto], given earlier ones (sorted).

        What was believed before counts as `prior` values seen: with few of its own it leads, with many it is forgotten.
        """
        hits = bisect_right(values, upto) - bisect_right(values, above)
        return Chance(hits * self.of + self.hits * prior, (len(values) + prior) * self.of)


def new_from(blocks: Sequence[Block]) -> int:
    """The index of the first block behind the model's last reply: what no call before can have held.

    The number of blocks where the call ends with the model's own words, 0 where it holds none of them.
    """
    for at in range(len(blocks) - 1, -1, -1):
        if blocks[at].role == "assistant" or blocks[at].section is not Section.MESSAGES:
            return at + 1
    return 0


def written_at(blocks: Sequence[Block], rates: Rates) -> Money:
    """The price of a written token under the call's last breakpoint, per token; the input price where it has none."""
    ttl = next((block.breakpoint for block in reversed(blocks) if block.breakpoint), None)
    if ttl is None:
        return rates.input
    return rates.cache_write_1h if ttl == _LONG else rates.cache_write_5m


def can_bear(loss: Money, ctx: Context, *, by_then: Money = 0) -> bool:
    """Whether the conversation stays within the bound even if all of this is lost, and nothing is gained for it.

    `by_then` is the least that will have been paid, besides what has been already, when it is lost.
    """
    talk = ctx.conversation
    return (talk.saved - loss) * _BEARABLE_PART >= -(talk.paid + by_then)

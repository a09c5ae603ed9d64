"""Keeps calls below the prompt length above which every token is dearer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import ClassVar

from underspend.core.call import Block, Call, Role, Verb
from underspend.core.context import Context
from underspend.core.edits import Edit, ReplaceContent
from underspend.core.foresight import written_at
from underspend.core.money import Money
from underspend.core.pruning import Cut, results
from underspend.core.strategy import Strategy
from underspend.promptcache import facts
from underspend.tokens.estimate import tokens_in

_MESSAGES_A_CALL = 2
_GONE = "[Left out: an old result, to keep the prompt below the length at which it would be dearer.]"


@dataclass(frozen=True, slots=True, kw_only=True)
class StayBelowTier(Strategy):
    """Leaves out old tool results, oldest first, until the prompt is at most `target_percent` of the limit.

    The results of the last `keep_calls` calls stay. Nothing is done where that is not enough, or costs more than it
    saves in this very call.
    """

    name: ClassVar[str] = "stay_below_tier"
    target_percent: int = 90
    keep_calls: int = 5
    min_tokens: int = 200

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """One line in place of each result that has to go."""
        if call.identity.role is Role.SIDE or call.endpoint != "messages" or not call.blocks:
            return
        above = ctx.pricing.step_above(call)
        if above is None or call.prompt_tokens <= above:
            return
        cuts = list(self._enough(call, call.prompt_tokens - above * self.target_percent // 100))
        if cuts and _pays(cuts, call, ctx):
            yield from (cut.edit for cut in cuts)

    def _enough(self, call: Call, wanted: int) -> Sequence[Cut]:
        """The oldest results whose leaving saves so many tokens; none if all of them do not."""
        found: list[Cut] = []
        for cut in self._cuts(call.blocks, results(call.blocks, binds_thinking=facts(call.model).binds_thinking)):
            found.append(cut)
            wanted -= cut.saves
            if wanted <= 0:
                return found
        return ()

    def _cuts(self, blocks: Sequence[Block], open_ones: Sequence[int]) -> Iterator[Cut]:
        size = tokens_in(len(_GONE))
        recent = blocks[-1].message - self.keep_calls * _MESSAGES_A_CALL
        for at in open_ones:
            block = blocks[at]
            if block.message <= recent and block.tokens >= max(self.min_tokens, size) and block.verb is not Verb.AGENT:
                edit = ReplaceContent(at, _GONE, size, why="the prompt would be billed at the rates of long prompts")
                yield Cut(edit, block.tokens - size)


def _pays(cuts: Sequence[Cut], call: Call, ctx: Context) -> bool:
    """Whether this call is cheaper short and rewritten behind the first cut than long as it is."""
    starts = list(accumulate((block.tokens for block in call.blocks), initial=0))
    marked = [starts[at + 1] for at, block in enumerate(call.blocks) if block.breakpoint]
    first = starts[cuts[0].edit.at]
    warm = ctx.conversation.warm_tokens
    still_warm = warm if first >= warm else max((size for size in marked if size <= min(first, warm)), default=0)
    shorter = call.prompt_tokens - sum(cut.saves for cut in cuts)
    before = _cost(call, min(warm, call.prompt_tokens), ctx)
    after = _cost(replace(call, prompt_tokens=shorter), still_warm, ctx)
    return before is not None and after is not None and after < before


def _cost(call: Call, warm: int, ctx: Context) -> Money | None:
    rates = ctx.rates(call)
    if rates is None:
        return None
    return warm * rates.cache_read + (call.prompt_tokens - warm) * written_at(call.blocks, rates)

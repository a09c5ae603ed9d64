"""The old turns of a long conversation give way to a summary, when the cache is cold and the prompt is written anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from underspend.core.call import THINKING, Block, Call, Role, Section
from underspend.core.context import Context
from underspend.core.edits import Edit, ReplaceContent, ReplaceMessages
from underspend.core.glance import Glance
from underspend.core.strategy import State, Strategy
from underspend.core.summaries import Summary, can_part, tokens_of, turns
from underspend.promptcache import facts

_LEFT_ALONE = frozenset({Role.SIDE, Role.COMPACTION, Role.SUMMARY})
_LIFETIMES = (300_000_000, 3_600_000_000)
"""Five minutes and an hour in microseconds. Records show prompts still read a fifth of a lifetime after its end."""

_SMALL_PART = 10
_LEAST_PART = 2
_LEAST_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SummariseHistory(Strategy):
    """The gateway has `model` write the summary in the background, in at most `most_tokens` tokens.

    It stands for what comes after the first prompt and before the last `keep_turns` turns, once that is `least_tokens`
    or more. Nothing is done without a model, nor before a summary of the very messages is at hand.
    """

    name: ClassVar[str] = "summarise_history"
    default_state: ClassVar[State] = State.OFF
    replays: ClassVar[bool] = False
    model: str = ""
    least_tokens: int = 30_000
    keep_turns: int = 2
    most_tokens: int = 2_000

    def __post_init__(self) -> None:
        """Refuse limits that leave nothing to keep or to gain, when the configuration is read."""
        if self.keep_turns < 1:
            raise ValueError(f"keep_turns {self.keep_turns} leaves no turn; at least 1 stays")
        if not _LEAST_LENGTH <= self.most_tokens <= self.least_tokens // _LEAST_PART:
            raise ValueError(
                f"most_tokens {self.most_tokens} is not between {_LEAST_LENGTH} and half of least_tokens "
                f"{self.least_tokens}"
            )

    def may_act_on(self, glance: Glance) -> bool:
        """Whether the conversation has paused, or is not known."""
        if not self.model or glance.begins or glance.call.identity.role in _LEFT_ALONE:
            return False
        return not glance.calls or not glance.has_breakpoints or glance.longest_pause >= _LIFETIMES[0]

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """One `ReplaceMessages`; thinking that the model would refuse behind it goes before."""
        summary = ctx.conversation.summary
        if summary is None or not self.model or call.identity.role in _LEFT_ALONE or call.endpoint != "messages":
            return
        if not self._fits(call.blocks, summary) or not _pays(call, ctx, summary):
            return
        # Only thinking that binds itself to its prompt has to go, and never that of a turn under way.
        thoughts = _thoughts(call.blocks, summary.last) if facts(call.model).binds_thinking else []
        if thoughts and turns(call.blocks)[-1] != call.blocks[-1].message:
            return
        for at in thoughts:
            yield ReplaceContent(at, "", 0, why="the model refuses its thinking where its prompt has changed")
        why = "nothing of it is cached, and a summary is shorter"
        yield ReplaceMessages(summary.first, summary.last, summary.text, summary.tokens, why=why)

    def _fits(self, blocks: Sequence[Block], summary: Summary) -> bool:
        """Whether the messages can be taken out, and enough turns stay behind them."""
        stay = sum(start > summary.last for start in turns(blocks))
        return stay >= self.keep_turns and can_part(blocks, summary.first, summary.last)


def _pays(call: Call, ctx: Context, summary: Summary) -> bool:
    """Whether what goes is worth it, and next to nothing of it or of what stands behind it is cached."""
    talk = ctx.conversation
    there, length = tokens_of(call.blocks, summary.first, summary.last), summary.tokens
    if talk.replaced is not None:
        made = talk.replaced.edit
        there += made.tokens - tokens_of(call.blocks, made.first, made.last)
    if length * _LEAST_PART > there:
        return False
    if talk.idle is not None and any(life < talk.idle <= life * 6 // 5 for life in _LIFETIMES):
        return False
    front = sum(b.tokens for b in call.blocks if b.section is not Section.MESSAGES or b.message < summary.first)
    return max(0, talk.warm_tokens - front) * _SMALL_PART <= there - length


def _thoughts(blocks: Sequence[Block], last: int) -> list[int]:
    """The thinking behind a message that is still there."""
    return [
        at for at, block in enumerate(blocks) if block.kind in THINKING and block.message > last and not block.edited
    ]

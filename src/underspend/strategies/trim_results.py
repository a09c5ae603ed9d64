"""Oversize tool results are shortened before they are ever cached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from underspend.core.call import Call, Role, Verb
from underspend.core.context import Context
from underspend.core.edits import LONGEST_LINE, MOST_LINES, Edit, ShortenContent
from underspend.core.foresight import new_from
from underspend.core.pruning import Cut, free, results
from underspend.core.strategy import Strategy
from underspend.promptcache import facts
from underspend.tokens.estimate import tokens_in

_OMISSION = 80
"""The characters of the line that says how much was left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimResults(Strategy):
    """Of a result of more than `most_tokens` the first `head` and the last `tail` characters are kept.

    Of a command's output also lines between them that hold one of `words`. What an agent hands back is never shortened,
    nor an error: there is no second chance to read them.
    """

    name: ClassVar[str] = "trim_results"
    most_tokens: int = 1_500
    head: int = 3_000
    tail: int = 1_500
    words: tuple[str, ...] = ("error", "fail", "warning")

    def __post_init__(self) -> None:
        """Refuse lengths that would keep more than the limit allows, when the configuration is read."""
        if min(self.head, self.tail) < 0 or not 0 < self._kept <= self.most_tokens:
            raise ValueError(
                f"head {self.head} and tail {self.tail} keep {self._kept} tokens of at most {self.most_tokens}"
            )

    @property
    def _kept(self) -> int:
        return tokens_in(self.head + self.tail + _OMISSION)

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """A shortening of each new result that is too long."""
        if call.identity.role is Role.SIDE or call.endpoint != "messages":
            return
        start = 0 if ctx.conversation.is_cold else new_from(call.blocks)
        yield from (cut.edit for cut in free(list(self._cuts(call, start)), call, ctx))

    def _cuts(self, call: Call, start: int) -> Iterator[Cut]:
        if not any(block.tokens > self.most_tokens for block in call.blocks[start:]):
            return
        lines = tokens_in(MOST_LINES * (LONGEST_LINE + 1))
        for at in results(call.blocks, binds_thinking=facts(call.model).binds_thinking):
            block = call.blocks[at]
            words = self.words if block.verb is Verb.RUN else ()
            kept = self._kept + (lines if words else 0)
            if at < start or block.tokens <= max(self.most_tokens, kept) or block.is_error or block.verb is Verb.AGENT:
                continue
            why = f"a result of {block.tokens} tokens; its beginning and its end are kept"
            yield Cut(ShortenContent(at, self.head, self.tail, kept, why, words), block.tokens - kept)

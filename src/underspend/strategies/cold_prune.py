"""Old tool results are shortened, above all when the cache is cold and it costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from underspend.core.call import Call, Role, Verb
from underspend.core.context import Context
from underspend.core.edits import Edit, ShortenContent
from underspend.core.pruning import Cut, free, results, worth_it
from underspend.core.strategy import Strategy
from underspend.promptcache import facts
from underspend.tokens.estimate import tokens_in

_MESSAGES_A_CALL = 2
_OMISSION = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdPrune(Strategy):
    """A result is old once `keep_calls` calls have come after it and none of them has touched its subject.

    Of an old one of `min_tokens` or more the first `head` and the last `tail` characters stay. With `when_warm` a
    cached prompt is cut too, once reading the old results has cost as much as the rewriting will.
    """

    name: ClassVar[str] = "cold_prune"
    keep_calls: int = 10
    min_tokens: int = 500
    head: int = 600
    tail: int = 300
    when_warm: bool = False

    def __post_init__(self) -> None:
        """Refuse lengths that would keep more than there was, when the configuration is read."""
        if min(self.head, self.tail) < 0 or not 0 < self._kept <= self.min_tokens:
            raise ValueError(
                f"head {self.head} and tail {self.tail} keep {self._kept} tokens of at least {self.min_tokens}"
            )

    @property
    def _kept(self) -> int:
        return tokens_in(self.head + self.tail + _OMISSION)

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """A shortening of each old result, where nothing is cached or the rent has reached the price."""
        if call.identity.role is Role.SIDE or call.endpoint != "messages" or not call.blocks:
            return
        if not self.when_warm and not ctx.conversation.is_cold:
            return
        cuts = list(self._cuts(call))
        yield from (cut.edit for cut in (worth_it if self.when_warm else free)(cuts, call, ctx))

    def _cuts(self, call: Call) -> Iterator[Cut]:
        blocks = call.blocks
        now = blocks[-1].message
        recent = now - self.keep_calls * _MESSAGES_A_CALL
        if recent <= 0:
            return
        in_use = {block.subject for block in blocks if block.message > recent and block.subject is not None}
        for at in results(blocks, binds_thinking=facts(call.model).binds_thinking):
            block = blocks[at]
            if block.message > recent:
                return
            if block.tokens < self.min_tokens or block.subject in in_use or block.verb is Verb.AGENT:
                continue
            edit = ShortenContent(at, self.head, self.tail, self._kept, why="no call has touched it for long")
            yield Cut(edit, block.tokens - self._kept, (recent - block.message) // _MESSAGES_A_CALL)

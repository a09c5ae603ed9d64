"""A second reading of an unchanged file becomes a pointer to the first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from underspend.core.call import Block, Call, Role, Verb
from underspend.core.context import Context
from underspend.core.edits import Edit, ReplaceContent
from underspend.core.foresight import new_from
from underspend.core.pruning import UNCHANGED, Cut, free, results
from underspend.core.strategy import Strategy
from underspend.promptcache import facts
from underspend.tokens.estimate import tokens_in

_Said = tuple[bytes, tuple[int, int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupeReads(Strategy):
    """Only where the result is equal to the byte, stands above as it was, and has `min_tokens` or more."""

    name: ClassVar[str] = "dedupe_reads"
    min_tokens: int = 200

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """A pointer in place of each such result that is not cached yet."""
        if call.identity.role is Role.SIDE:
            return
        start = 0 if ctx.conversation.is_cold else new_from(call.blocks)
        if not any(self._is_read(block) for block in call.blocks[start:]):
            return
        size = tokens_in(len(UNCHANGED))
        cuts = [
            Cut(ReplaceContent(at, UNCHANGED, size, why="the same file was read before and has not changed"), 0)
            for at in self._repeats(call.blocks, start, results(call.blocks, binds_thinking=_binds(call)))
        ]
        yield from (cut.edit for cut in free(cuts, call, ctx))

    def _repeats(self, blocks: Sequence[Block], start: int, open_ones: Sequence[int]) -> list[int]:
        """The reads from `start` on that say again what an unedited one before them says."""
        may = set(open_ones)
        seen: set[_Said] = set()
        found = []
        for at, block in enumerate(blocks):
            if not self._is_read(block):
                continue
            said = (block.subject or b"", block.span, block.says or block.digest)
            if said not in seen:
                seen.add(said)
            elif at >= start and at in may:
                found.append(at)
        return found

    def _is_read(self, block: Block) -> bool:
        return (
            block.verb is Verb.READ
            and block.kind == "tool_result"
            and block.subject is not None
            and block.tokens >= self.min_tokens
            and not (block.edited or block.is_error)
        )


def _binds(call: Call) -> bool:
    return facts(call.model).binds_thinking

"""Tool results that a later one has superseded make room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from underspend.core.call import Block, Call, Role, Verb
from underspend.core.context import Context
from underspend.core.edits import Edit, ReplaceContent
from underspend.core.pruning import Cut, results, worth_it
from underspend.core.strategy import Strategy
from underspend.promptcache import facts
from underspend.tokens.estimate import tokens_in

_MESSAGES_A_CALL = 2
_READ_AGAIN = "[Left out: the same was read again later.]"
_EDITED = "[Left out: this file was changed after it was read here. Read it again if needed.]"
_RUN_AGAIN = "[Left out: the same was done again later, and that result stands below.]"
_REPEATABLE = frozenset({Verb.RUN, Verb.SEARCH, Verb.FETCH})


@dataclass(frozen=True, slots=True, kw_only=True)
class DropStaleResults(Strategy):
    """A read is superseded by a later read that covers it or by an edit of the file, a command by the same once more.

    What the last `keep_calls` calls refer to stays, as do results of less than `min_tokens`.
    """

    name: ClassVar[str] = "drop_stale_results"
    min_tokens: int = 200
    keep_calls: int = 5

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """One line in place of each stale result, where nothing is cached or the rent has reached the price."""
        if call.identity.role is Role.SIDE or call.endpoint != "messages" or not call.blocks:
            return
        cuts = list(self._cuts(call))
        yield from (cut.edit for cut in worth_it(cuts, call, ctx))

    def _cuts(self, call: Call) -> Iterator[Cut]:
        blocks = call.blocks
        stale = dict(_superseded(blocks))
        if not stale:
            return
        now = blocks[-1].message
        recent = now - self.keep_calls * _MESSAGES_A_CALL
        in_use = {block.subject for block in blocks if block.message > recent}
        for at in results(blocks, binds_thinking=facts(call.model).binds_thinking):
            if at not in stale or blocks[at].tokens < self.min_tokens:
                continue
            by, text = stale[at]
            size = tokens_in(len(text))
            is_in_use = text is _EDITED and blocks[at].subject in in_use
            if blocks[at].message > recent or is_in_use or blocks[at].tokens <= size:
                continue
            edit = ReplaceContent(at, text, size, why="a later result has taken its place")
            calls = max(0, now - blocks[by].message) // _MESSAGES_A_CALL
            yield Cut(edit, blocks[at].tokens - size, calls)


def _superseded(blocks: Sequence[Block]) -> Iterator[tuple[int, tuple[int, str]]]:
    """Each stale result with the one that took its place and the line to put there, from the last to the first."""
    edited: dict[bytes, int] = {}
    whole: dict[bytes, int] = {}
    again: dict[tuple[bytes, Verb, tuple[int, int]], int] = {}
    for at in range(len(blocks) - 1, -1, -1):
        block = blocks[at]
        subject, verb = block.subject, block.verb
        if subject is None or verb is None or block.kind != "tool_result":
            continue
        key = (subject, verb, block.span)
        if verb is Verb.READ:
            by = again.get(key, whole.get(subject))
            if by is not None:
                yield at, (by, _READ_AGAIN)
            elif subject in edited:
                yield at, (edited[subject], _EDITED)
        elif verb in _REPEATABLE and key in again:
            yield at, (again[key], _RUN_AGAIN)
        if block.is_error or block.edited:
            continue
        if verb is Verb.EDIT:
            edited[subject] = at
        elif verb is Verb.READ and block.span == (0, 0):
            whole[subject] = at
        again[key] = at

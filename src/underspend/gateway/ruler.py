"""How many tokens prefixes really have: estimates from the sizes of blocks, set right by what was billed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise

from underspend.core.usage import Usage
from underspend.promptcache import Growing, Split

Anchors = Sequence[tuple[int, int]]
"""Estimated tokens from the prompt's beginning, and the tokens billed for as much."""


class Ruler:
    """Remembers what each prefix that a bill told apart was counted as. Prefixes go by their digests."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._known)

    def clear(self) -> None:
        """Forget everything: digests may mean other prefixes from now on."""
        self._known.clear()

    def learn(self, growing: Growing, split: Split, billed: Usage) -> Anchors:
        """Take in the bill of a prompt that was split so; its anchors, of which the last is the whole prompt.

        Where the bill tells other lanes apart than the rules do, only the whole prompt is known.
        """
        ruled, said = _lanes(split), _lanes(billed)
        if [bool(tokens) for tokens in ruled] != [bool(tokens) for tokens in said]:
            return ((growing.total, billed.prompt),)
        anchors = list(zip(accumulate(ruled), accumulate(said), strict=True))
        for estimated, tokens in anchors:
            at = bisect_left(growing.sizes, estimated)
            if at < len(growing.sizes) and growing.sizes[at] == estimated:
                self._known[growing.digests[at]] = tokens
        return [*anchors, (growing.total, billed.prompt)]

    def measured(self, growing: Growing, split: Split, anchors: Anchors, output: int) -> Usage:
        """A split of estimated tokens as one of tokens that would be billed, of the prompt that `anchors` end with."""
        whole = anchors[-1][1]
        ends = [0]
        for estimated in accumulate(_lanes(split)):
            tokens = self._tokens(growing, estimated, anchors)
            ends.append(min(whole, max(ends[-1], tokens)))
        read, long, short = (after - before for before, after in pairwise(ends))
        return Usage(whole - ends[-1], short, long, read, output)

    def _tokens(self, growing: Growing, estimated: int, anchors: Anchors) -> int:
        at = bisect_left(growing.sizes, estimated)
        known = self._known.get(growing.digests[at]) if at < len(growing.sizes) else None
        if known is not None and growing.sizes[at] == estimated:
            return known
        before = (0, 0)
        for after in anchors:
            if estimated <= after[0]:
                return _between(before, after, estimated)
            before = after
        return before[1]


def _lanes(tokens: Split | Usage) -> tuple[int, int, int]:
    """The lanes of a prompt in the order in which they stand in it: what lives for an hour comes first."""
    return tokens.cache_read, tokens.cache_write_1h, tokens.cache_write_5m


def _between(before: tuple[int, int], after: tuple[int, int], estimated: int) -> int:
    width = after[0] - before[0]
    return after[1] if not width else before[1] + (after[1] - before[1]) * (estimated - before[0]) // width

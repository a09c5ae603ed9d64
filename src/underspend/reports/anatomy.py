"""A prompt's blocks in cache order, and which of them the provider read, wrote or took in fresh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from underspend.core.usage import Lane, Usage

ORDER = (Lane.CACHE_READ, Lane.CACHE_WRITE_1H, Lane.CACHE_WRITE_5M, Lane.INPUT)
"""The order in which a prompt falls into lanes: what is cached is a prefix, and longer lifetimes come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A block as the ledger keeps it: a size in bytes, a local token estimate, the TTL of its breakpoint if any."""

    section: str
    kind: str
    label: str
    size: int
    estimate: int
    breakpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A block and the lane it fell into. `tokens` is its part of that lane's reported tokens."""

    piece: Piece
    lane: Lane | None
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """A prompt taken apart.

    With usage, the blocks' `tokens` add up to the reported prompt exactly and `lane` says how each was billed: the
    edges of the lanes are set to the block ends (and the last breakpoint) that fit the reported tokens best. Without
    usage they are the local estimates and no lane is known.
    """

    blocks: tuple[Placed, ...]
    usage: Usage | None

    @property
    def total(self) -> int:
        """Tokens of the whole prompt."""
        return sum(block.tokens for block in self.blocks)

    @property
    def cached_until(self) -> int | None:
        """How many blocks from the front were read from the cache; None when that is not known."""
        return sum(block.lane is Lane.CACHE_READ for block in self.blocks) if self.usage else None


def anatomy(pieces: Sequence[Piece], usage: Usage | None) -> Anatomy:
    """Place blocks by the usage of the whole prompt; None, or usage without prompt tokens, places nothing."""
    if usage is None or not usage.prompt or not pieces:
        blocks = tuple(Placed(piece=piece, lane=None, tokens=piece.estimate) for piece in pieces)
        return Anatomy(blocks=blocks, usage=None)
    edges = _edges(pieces, usage)
    placed: list[Placed] = []
    carried = 0
    for lane, (start, stop) in zip(ORDER, pairwise(edges), strict=True):
        region = pieces[start:stop]
        amount = usage.lane(lane) + carried
        # A lane too small to fill a block lends its tokens to the next, so that the sum stays the reported one.
        carried = 0 if region else amount
        shares = apportion(amount, [piece.estimate for piece in region])
        placed += [Placed(piece=piece, lane=lane, tokens=n) for piece, n in zip(region, shares, strict=True)]
    if carried:
        last = placed[-1]
        placed[-1] = Placed(piece=last.piece, lane=last.lane, tokens=last.tokens + carried)
    return Anatomy(blocks=tuple(placed), usage=usage)


def _edges(pieces: Sequence[Piece], usage: Usage) -> list[int]:
    """Block counts at which each lane of ORDER begins, and the end."""
    whole, count = sum(piece.estimate for piece in pieces), len(pieces)
    ends = [0]
    for piece in pieces:
        ends.append(ends[-1] + piece.estimate)
    cached = usage.prompt - usage.input
    marks = [index + 1 for index, piece in enumerate(pieces) if piece.breakpoint]
    stop = (marks[-1] if marks else _nearest(ends, cached, usage.prompt, whole)) if cached else 0
    if not usage.input and cached:
        stop = count
    edges = [0]
    before = 0
    for lane, later in zip(ORDER[:-2], (ORDER[1:-1], ORDER[2:-1]), strict=True):
        before += usage.lane(lane)
        at = _nearest(ends[: stop + 1], before, cached, ends[stop]) if cached else 0
        # A lane that was billed shows at least one block, where there are enough.
        first = edges[-1] + (usage.lane(lane) > 0)
        last = stop - sum(usage.lane(other) > 0 for other in later)
        edges.append(min(max(edges[-1], first, min(at, last)), stop))
    return [*edges, stop, count]


def _nearest(ends: Sequence[int], tokens: int, of: int, estimated: int) -> int:
    """The block end whose estimate, scaled to the reported tokens, is nearest."""
    target = tokens * estimated
    return min(range(len(ends)), key=lambda n: (abs(ends[n] * of - target), n))


def apportion(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` divided in proportion to the weights in whole numbers that add up to it (largest remainders)."""
    if not weights:
        return []
    if not sum(weights):
        weights = [1] * len(weights)
    whole = sum(weights)
    shares = [amount * weight // whole for weight in weights]
    short = amount - sum(shares)
    by_remainder = sorted(range(len(weights)), key=lambda n: (-(amount * weights[n] % whole), n))
    for n in by_remainder[:short]:
        shares[n] += 1
    return shares

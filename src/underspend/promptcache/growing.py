"""The prompts of one conversation, one after another: each is mostly the one before, and only the rest is taken in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, islice
from operator import is_not

from underspend.core.call import Block, Section
from underspend.promptcache.prompt import Prompt, Settings, section_keys

_ORDER = tuple(Section)
_WIDTH = 8
_ROOT = b""


class Names:
    """Names for prefixes: equal for equal prefixes whichever conversation they stand in, and for no others."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[tuple[bytes, bytes], bytes] = {}

    def __len__(self) -> int:
        return len(self.known)

    def of(self, prefix: bytes, part: bytes) -> bytes:
        """The name of a prefix with one more part behind it."""
        return self.known.setdefault((prefix, part), len(self.known).to_bytes(_WIDTH, "big"))


class Growing:
    """One conversation's prompt as it stands. Positions are indices of the blocks it was last given."""

    __slots__ = ("_blocks", "_names", "_settings", "digests", "sizes")

    def __init__(self, names: Names) -> None:
        self._names = names
        self._blocks: Sequence[Block] = ()
        self._settings: Settings | None = None
        self.digests: list[bytes] = []
        self.sizes: list[int] = []

    @property
    def total(self) -> int:
        """Every token of the prompt."""
        return self.sizes[-1] if self.sizes else 0

    def follow(self, blocks: Sequence[Block], settings: Settings) -> int:
        """Take in the next prompt; the number of leading blocks it shares with the one before.

        Blocks are compared by being the same objects: what is merely equal is taken in again, to the same effect.
        """
        is_same_key = settings is self._settings or settings == self._settings
        same = _same(self._blocks, blocks) if is_same_key else 0
        if same == len(blocks) == len(self.sizes):
            return same
        digests, sizes = self.digests, self.sizes
        del digests[same:], sizes[same:]
        entered = _ORDER.index(blocks[same - 1].section) if same else -1
        digest, size = (digests[-1], sizes[-1]) if same else (_ROOT, 0)
        known = self._names.known
        for block in islice(blocks, same, None):
            if entered < 0 or _ORDER[entered] is not block.section:
                reached = _ORDER.index(block.section)
                for key in section_keys(settings)[entered + 1 : reached + 1]:
                    digest = self._names.of(digest, key)
                entered = max(entered, reached)
            digest = known.setdefault((digest, block.digest), len(known).to_bytes(_WIDTH, "big"))
            size += block.tokens
            digests.append(digest)
            sizes.append(size)
        self._blocks, self._settings = tuple(blocks), settings
        return same

    def prompt(self, breakpoints: Sequence[tuple[int, str]], minimum: int) -> Prompt:
        """The prompt for the cache, until the next `follow`. `breakpoints` are (position, lifetime) in order."""
        return Prompt(self.digests, self.sizes, breakpoints=tuple(breakpoints), minimum=minimum)


def _same(before: Sequence[Block], after: Sequence[Block]) -> int:
    shorter = min(len(before), len(after))
    return next(compress(range(shorter), map(is_not, before, after)), shorter)

"""A prompt as the cache sees it: positions in order, each named by a digest of everything up to it.

Rules: the provider's prompt-caching page (order tools → system → messages, what invalidates which section, four
breakpoints, longer lifetimes first, the automatic breakpoint).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from underspend.core.call import THINKING, Block, Section

MOST_BREAKPOINTS = 4
SHORT, LONG = "5m", "1h"
_ORDER = tuple(Section)


class InvalidPromptError(ValueError):
    """The provider would refuse this request: its breakpoints break the published rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One content block. `identity` is equal for equal content in the same role, whatever its notation.

    `ttl` is the lifetime its breakpoint asks for ("5m", "1h"), None without one. Thinking and empty text are not
    `cacheable`: they are part of the prefix but carry no breakpoint.
    """

    section: Section
    identity: bytes
    tokens: int
    ttl: str | None = None
    cacheable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a cache key holds besides the blocks.

    A change of `scope` (whose cache it is: provider, workspace) or `model` loses everything; of `speed` or `citations`
    the system section and the messages; of any other the messages alone. `effort` and `thinking` are to be given with
    the model's default in place of nothing.
    """

    model: str
    scope: str = ""
    speed: str = "standard"
    citations: bool = False
    tool_choice: str = "auto"
    parallel_tools: bool = True
    images: bool = False
    thinking: str = "disabled"
    effort: str = "high"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt ready for the cache. `digests` and `sizes` are of the prefix that ends at each position.

    A digest is equal for equal prefixes and for no others. `breakpoints` are (position, lifetime) in order; prefixes
    of fewer than `minimum` tokens are not cached.
    """

    digests: Sequence[bytes]
    sizes: Sequence[int]
    breakpoints: tuple[tuple[int, str], ...]
    minimum: int = 0

    @property
    def total(self) -> int:
        """Every token of the prompt."""
        return self.sizes[-1] if self.sizes else 0


def piece_of(block: Block) -> Piece | None:
    """A parsed block of a call as a piece; None for a deferred tool, which stands outside the prefix."""
    if block.kind == "deferred_tool":
        return None
    return Piece(
        section=block.section,
        identity=block.digest,
        tokens=block.tokens,
        ttl=block.breakpoint,
        cacheable=block.kind not in THINKING,
    )


def build(pieces: Iterable[Piece], settings: Settings, *, minimum: int = 0, automatic: str | None = None) -> Prompt:
    """The prompt of blocks in cache order. `automatic` is the lifetime of the request's top-level breakpoint.

    Raises InvalidPromptError for more than four breakpoints, a 1h one after a 5m one, or an automatic one on a block
    that asks for another lifetime.
    """
    found = list(pieces)
    if automatic is not None:
        _mark_last(found, automatic)
    marked = tuple((at, piece.ttl) for at, piece in enumerate(found) if piece.ttl is not None)
    check_breakpoints(marked)
    return Prompt(*_prefixes(found, settings), breakpoints=marked, minimum=minimum)


def next_pass(prompt: Prompt, pieces: Sequence[Piece]) -> Prompt:
    """The prompt of a server tool's next pass within one request: its blocks stand behind those of the pass before.

    If the request set any breakpoint, the provider puts one of its own on the last of them that can carry it, for five
    minutes whatever the others ask for, beside the four.
    """
    digests, sizes, marks = list(prompt.digests), list(prompt.sizes), prompt.breakpoints
    for piece in pieces:
        digests.append(_next(digests[-1] if digests else b"", piece.identity))
        sizes.append((sizes[-1] if sizes else 0) + piece.tokens)
    last = next((at for at in reversed(range(len(pieces))) if pieces[at].cacheable), None)
    if marks and last is not None:
        marks = (*marks, (len(prompt.digests) + last, SHORT))
    return replace(prompt, digests=tuple(digests), sizes=tuple(sizes), breakpoints=marks)


def _mark_last(found: list[Piece], ttl: str) -> None:
    last = next((at for at in reversed(range(len(found))) if found[at].cacheable), None)
    if last is None:
        return
    if found[last].ttl not in {None, ttl}:
        raise InvalidPromptError(f"the last block asks for {found[last].ttl}, the request for {ttl}")
    found[last] = replace(found[last], ttl=ttl)


def check_breakpoints(marked: Sequence[tuple[int, str]]) -> None:
    """Raises InvalidPromptError where the provider would: too many, or lifetimes out of order."""
    if len(marked) > MOST_BREAKPOINTS:
        raise InvalidPromptError(f"{len(marked)} breakpoints, where {MOST_BREAKPOINTS} are allowed")
    lifetimes = [ttl for _, ttl in marked]
    if LONG in lifetimes and SHORT in lifetimes[: len(lifetimes) - lifetimes[::-1].index(LONG)]:
        raise InvalidPromptError("a 1h breakpoint after a 5m one")


def _prefixes(found: Sequence[Piece], settings: Settings) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """Digests and token counts of all prefixes. What invalidates a section is mixed in where that section begins."""
    keys = section_keys(settings)
    digest, size, entered = b"", 0, -1
    digests, sizes = [], []
    for piece in found:
        while entered < _ORDER.index(piece.section):
            entered += 1
            digest = _next(digest, keys[entered])
        digest = _next(digest, piece.identity)
        size += piece.tokens
        digests.append(digest)
        sizes.append(size)
    return tuple(digests), tuple(sizes)


def section_keys(settings: Settings) -> tuple[bytes, ...]:
    """The provider's invalidation table, section by section."""
    return (
        repr((settings.scope, settings.model)).encode(),
        repr((settings.speed, settings.citations)).encode(),
        repr(
            (settings.tool_choice, settings.parallel_tools, settings.images, settings.thinking, settings.effort)
        ).encode(),
    )


def _next(digest: bytes, part: bytes) -> bytes:
    return blake2b(part, digest_size=16, key=digest).digest()

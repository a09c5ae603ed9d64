"""The provider's prompt cache as a state machine on an explicit clock.

An entry is one digest of a whole prefix, written at a breakpoint and nowhere else. A breakpoint finds an entry
at its own position or up to 19 positions before it. Where the published rules are silent this cache takes the
reading that costs the caller more: nothing is written at or below the highest hit, and a hit keeps the lifetime
it was written with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from underspend.testing.fake_upstream import blocks, thinking_binding
from underspend.testing.fake_upstream.api_error import invalid
from underspend.testing.fake_upstream.blocks import Position
from underspend.testing.fake_upstream.clock import SECOND
from underspend.testing.fake_upstream.prices import Model

LOOKBACK = 20
MAX_BREAKPOINTS = 4
LIFETIME = {"5m": 300 * SECOND, "1h": 3600 * SECOND}
_DIGEST = 16


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt ready for the cache: for each position the digest and token count of the prefix ending there.

    `breakpoints` are (position index, lifetime) pairs in order. `total` is every token of the prompt.
    `signature` binds thinking to this prompt; None where bindings are not looked at.
    """

    digests: tuple[bytes, ...]
    sizes: tuple[int, ...]
    breakpoints: tuple[tuple[int, str], ...]
    signature: str | None = None

    @property
    def total(self) -> int:
        """Tokens of the whole prompt."""
        return self.sizes[-1] if self.sizes else 0


@dataclass(slots=True)
class Entry:
    """One cached prefix: its lifetime in words, when it dies, and from when it can be read (microseconds)."""

    ttl: str
    expires: int
    readable: int


@dataclass(frozen=True, slots=True)
class Placement:
    """How one request's prompt was billed, and the entries it will write once its response begins."""

    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    started: int
    writes: tuple[tuple[bytes, str], ...] = field(default=(), repr=False)

    @property
    def prompt(self) -> int:
        """Every token of the prompt, however it was billed."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h


def build_prompt(
    body: dict[str, Any], *, workspace: str, model: str, facts: Model | None, bind_thinking: bool = False
) -> Prompt:
    """The prompt of a request body in the scope it is cached in: model, workspace, speed, thinking, effort.

    Raises ApiError (400) when the breakpoints break the published rules, and with `bind_thinking` when a
    thinking block is not where it was made.
    """
    found = blocks.positions(body, strips_thinking=facts is not None and facts.strips_thinking)
    binds = bind_thinking and facts is not None and facts.binds_thinking
    if binds:
        found = thinking_binding.enforce(found, body, model)
    explicit = sum(position.ttl is not None for position in found)
    found = blocks.with_automatic(found, body.get("cache_control"))
    marked = [(index, position.ttl) for index, position in enumerate(found) if position.ttl is not None]
    _check_breakpoints(marked, found, automatic=len(marked) > explicit)
    speed = str(body.get("speed") or "standard") if facts is None or not facts.ignores_speed else "standard"
    salts = {
        blocks.SYSTEM: blocks.system_salt(body, speed),
        blocks.MESSAGES: blocks.message_salt(
            body,
            default_effort="high" if facts is None else facts.default_effort,
            default_thinking="disabled" if facts is None else facts.default_thinking,
        ),
    }
    digests, sizes = _chain(found, salts, scope=f"{workspace}\0{model}")
    made = thinking_binding.signature(found, model) if binds else None
    return Prompt(digests, sizes, tuple(marked), made)


def _check_breakpoints(marked: Sequence[tuple[int, str]], found: Sequence[Position], *, automatic: bool) -> None:
    if len(marked) > MAX_BREAKPOINTS:
        also = " (one of them from the top-level cache_control)" if automatic else ""
        raise invalid(f"A maximum of 4 blocks with cache_control may be provided. Found {len(marked)}{also}.")
    short = False
    for index, ttl in marked:
        if ttl == "1h" and short:
            raise invalid(
                f"{found[index].where}.cache_control.ttl: a ttl='1h' cache_control block must not come after a "
                "ttl='5m' cache_control block. Note that blocks are processed in the following order: "
                "`tools`, `system`, `messages`."
            )
        short = short or ttl == "5m"


def _chain(
    found: Sequence[Position], salts: dict[str, bytes], *, scope: str
) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    running = blake2b(scope.encode(), digest_size=_DIGEST)
    pending = [blocks.SYSTEM, blocks.MESSAGES]
    digests, sizes, size = [], [], 0
    for position in found:
        while pending and position.section in pending:
            running.update(b"\1" + salts[pending.pop(0)])
        running.update(b"\2%d:" % len(position.identity))
        running.update(position.identity)
        size += position.tokens
        digests.append(running.digest())
        sizes.append(size)
    return tuple(digests), tuple(sizes)


class PromptCache:
    """The cache of one provider. `admit` bills a request, `began` makes what it wrote readable."""

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._sweep_at = 0

    def __len__(self) -> int:
        return len(self._entries)

    def admit(self, prompt: Prompt, *, minimum: int, now: int) -> Placement:
        """Bills a request that starts at `now` and refreshes what it reads.

        The highest hit is read; the breakpoints above it are written, up to the highest 1h one at the 1h price
        and the rest at the 5m price. Breakpoints whose prefix is below `minimum` tokens are silently ignored.
        """
        self._sweep(now)
        marked = [(index, ttl) for index, ttl in prompt.breakpoints if prompt.sizes[index] >= minimum]
        hit = -1
        for index, _ in marked:
            found = self._look_back(prompt, index, now)
            if found is not None:
                entry = self._entries[prompt.digests[found]]
                entry.expires = max(entry.expires, now + LIFETIME[entry.ttl])
                hit = max(hit, found)
        above = [(index, ttl) for index, ttl in marked if index > hit]
        read = prompt.sizes[hit] if hit >= 0 else 0
        long = max((prompt.sizes[index] for index, ttl in above if ttl == "1h"), default=read)
        last = max((prompt.sizes[index] for index, _ in above), default=read)
        return Placement(
            input=prompt.total - last,
            cache_read=read,
            cache_write_5m=last - long,
            cache_write_1h=long - read,
            started=now,
            writes=tuple((prompt.digests[index], ttl) for index, ttl in above),
        )

    def began(self, placement: Placement, *, now: int) -> None:
        """Makes the request's writes readable from `now`; their lifetime counts from the request's start."""
        for digest, ttl in placement.writes:
            expires = placement.started + LIFETIME[ttl]
            entry = self._entries.get(digest)
            if entry is None or entry.expires <= now:
                self._entries[digest] = Entry(ttl, expires, now)
            elif expires > entry.expires:
                entry.expires, entry.ttl = expires, ttl

    def clear(self) -> None:
        """Forgets every entry."""
        self._entries.clear()

    def _look_back(self, prompt: Prompt, index: int, now: int) -> int | None:
        for position in range(index, max(-1, index - LOOKBACK), -1):
            entry = self._entries.get(prompt.digests[position])
            if entry is not None and entry.readable <= now < entry.expires:
                return position
        return None

    def _sweep(self, now: int) -> None:
        if now < self._sweep_at:
            return
        self._sweep_at = now + LIFETIME["5m"]
        self._entries = {digest: entry for digest, entry in self._entries.items() if entry.expires > now}

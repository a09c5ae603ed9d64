"""The provider's cache of one account: what a request reads and writes, to the token, on a clock that is given.

Rules: the provider's prompt-caching page. Only breakpoints write; a breakpoint finds what was written at its own
position or at one of the 19 before it; a lifetime counts from the start of the request that wrote or read and is
refreshed by every hit; an entry can be read once the response that wrote it has begun. Where the page is silent:
nothing is written at or below the highest hit, a hit keeps the lifetime its entry was written with, each breakpoint
refreshes its own hit, and an entry is dead at exactly its lifetime.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from underspend.promptcache.prompt import LONG, SHORT, Prompt

MINUTE = 60_000_000
LIFETIMES = {SHORT: 5 * MINUTE, LONG: 60 * MINUTE}
"""By the name a breakpoint asks with, in microseconds."""

_POSITIONS_SEEN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What a request will have written once its response begins."""

    digest: bytes
    lifetime: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How the tokens of a prompt are billed. The four lanes add up to the prompt."""

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    pending: tuple[Pending, ...] = field(default=(), repr=False, compare=False)

    @property
    def prompt(self) -> int:
        """Every token of the prompt."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def written(self) -> int:
        """The tokens written, for whichever lifetime."""
        return self.cache_write_5m + self.cache_write_1h


@dataclass(slots=True)
class _Held:
    since: int
    until: int
    lifetime: int


class Cache:
    """The cache entries of one scope of accounts. Times are microseconds and never run backwards."""

    __slots__ = ("_held", "_tidy_at")

    def __init__(self) -> None:
        self._held: dict[bytes, _Held] = {}
        self._tidy_at = 0

    def __len__(self) -> int:
        return len(self._held)

    def admit(self, prompt: Prompt, now: int) -> Split:
        """How a request that starts now is billed; what it reads is refreshed.

        Nothing it writes can be read before `began` was called with the result.
        """
        self._tidy(now)
        counted = [mark for mark in prompt.breakpoints if prompt.sizes[mark[0]] >= prompt.minimum]
        top = max((self._hit(prompt, at, now) for at, _ in counted), default=-1)
        new = [mark for mark in counted if mark[0] > top]
        read = prompt.sizes[top] if top >= 0 else 0
        end_long = max((prompt.sizes[at] for at, ttl in new if ttl == LONG), default=read)
        end = prompt.sizes[new[-1][0]] if new else read
        return Split(
            input=prompt.total - end,
            cache_read=read,
            cache_write_5m=end - end_long,
            cache_write_1h=end_long - read,
            pending=tuple(
                Pending(digest=prompt.digests[at], lifetime=LIFETIMES[ttl], until=now + LIFETIMES[ttl])
                for at, ttl in new
            ),
        )

    def began(self, split: Split, now: int) -> None:
        """The response to an admitted request begins: from now on others can read what it wrote."""
        for entry in split.pending:
            held = self._held.get(entry.digest)
            if held is None or held.until <= now:
                self._held[entry.digest] = _Held(now, entry.until, entry.lifetime)
            elif held.until < entry.until:
                held.until, held.lifetime = entry.until, entry.lifetime

    def clear(self) -> None:
        """Forgets everything."""
        self._held.clear()

    def _hit(self, prompt: Prompt, at: int, now: int) -> int:
        """The position that a breakpoint finds, which is refreshed; -1 where it finds none."""
        for position in range(at, max(at - _POSITIONS_SEEN, -1), -1):
            held = self._held.get(prompt.digests[position])
            if held is not None and held.since <= now < held.until:
                held.until = max(held.until, now + held.lifetime)
                return position
        return -1

    def _tidy(self, now: int) -> None:
        if now >= self._tidy_at:
            self._held = {digest: held for digest, held in self._held.items() if now < held.until}
            self._tidy_at = now + LIFETIMES[SHORT]

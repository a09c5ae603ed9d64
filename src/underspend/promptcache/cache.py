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

    def find(self, prompt: Prompt, now: int) -> tuple[int, int]:
        """The last position of a prompt that a request starting now would read, and until when it is held.

        (-1, 0) where it would read nothing. Changes nothing.
        """
        best, until = -1, 0
        for at, _ in prompt.breakpoints:
            if prompt.sizes[at] >= prompt.minimum:
                position = self._seen(prompt, at, now)
                if position > best:
                    best, until = position, self._held[prompt.digests[position]].until
        return best, until

    def admit(self, prompt: Prompt, now: int, *, at_least: int = -1, at_most: int | None = None) -> Split:
        """How a request that starts now is billed; what it reads is refreshed.

        Nothing it writes can be read before `began` was called with the result. The bounds are for what is known from
        elsewhere of the last position read: that others had kept the prompt warm up to `at_least`, that all beyond
        `at_most` was missed.
        """
        self._tidy(now)
        counted = [mark for mark in prompt.breakpoints if prompt.sizes[mark[0]] >= prompt.minimum]
        top = max((self._hit(prompt, at, now) for at, _ in counted), default=-1)
        top = top if at_most is None else min(top, at_most)
        if counted and top < at_least:
            top = at_least
            self._keep(prompt, top, now, LIFETIMES[counted[-1][1]])
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

    def _keep(self, prompt: Prompt, position: int, now: int, lifetime: int) -> None:
        """What others keep warm is held from now on, as if it had been read."""
        held = self._held.get(prompt.digests[position])
        if held is None or not held.since <= now < held.until:
            self._held[prompt.digests[position]] = _Held(now, now + lifetime, lifetime)

    def _hit(self, prompt: Prompt, at: int, now: int) -> int:
        """The position that a breakpoint finds, which is refreshed; -1 where it finds none."""
        position = self._seen(prompt, at, now)
        if position >= 0:
            held = self._held[prompt.digests[position]]
            held.until = max(held.until, now + held.lifetime)
        return position

    def _seen(self, prompt: Prompt, at: int, now: int) -> int:
        known, digests = self._held, prompt.digests
        for position in range(at, max(at - _POSITIONS_SEEN, -1), -1):
            held = known.get(digests[position])
            if held is not None and held.since <= now < held.until:
                return position
        return -1

    def _tidy(self, now: int) -> None:
        if now >= self._tidy_at:
            self._held = {digest: held for digest, held in self._held.items() if now < held.until}
            self._tidy_at = now + LIFETIMES[SHORT]

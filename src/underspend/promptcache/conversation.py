"""The cache as far as token counts tell: for records that hold no prompts.

A conversation's prompts grow, so each call leaves behind one level: the tokens up to its last breakpoint, which the
next call reads. The part that all conversations of a kind share (tools and system prompt) is a level too, of a size
that only shows when a call reads it and nothing more. `Conversation.forecast` says what the rules expect of a call
from the calls before it, `observe` takes in what was recorded.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import StrEnum

from underspend.promptcache.cache import LIFETIMES, Split
from underspend.promptcache.prompt import LONG, SHORT


class Reset(StrEnum):
    """What the client did to the messages before a call: only what stands before them is the same."""

    COMPACTED = "compacted"
    THINNED = "thinned"
    CLEARED = "cleared"


class Why(StrEnum):
    """What a forecast follows from."""

    FIRST = "first"
    CONTINUED = "continued"
    EXPIRED = "expired"
    RESET = "reset"
    REKEYED = "rekeyed"
    SHORTENED = "shortened"


_OWN = frozenset({Why.CONTINUED, Why.SHORTENED})
"""Forecasts from what the conversation itself left behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is known of a call before its bill. Times in microseconds.

    `scope` is what a cached prefix belongs to (model, effort, speed); `kind` is what calls with the same tools and
    system prompt have in common. `tail` are the tokens expected after the last breakpoint. `minimum` is the shortest
    prefix the model caches.
    """

    start: int
    answered: int
    prompt: int
    scope: Hashable
    kind: Hashable
    tail: int = 0
    reset: Reset | None = None
    minimum: int = 0


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected split. `known` is False where nothing before the call tells what others had left in the cache."""

    split: Split
    why: Why
    known: bool = True


@dataclass(slots=True)
class _Level:
    size: int
    start: int
    lifetime: int

    def alive(self, now: int) -> bool:
        return now < self.start + self.lifetime


@dataclass(slots=True)
class _Common:
    """The shared prefix of one kind: its size by how it showed, and who used it last, from when it could be read."""

    sizes: dict[Why, int] = field(default_factory=dict)
    used: dict[Hashable, tuple[_Level, int]] = field(default_factory=dict)

    def size(self, why: Why) -> int:
        return self.sizes.get(why) or self.sizes.get(Why.FIRST) or max(self.sizes.values(), default=0)

    def alive(self, now: int) -> bool:
        return any(readable <= now and level.alive(now) for level, readable in self.used.values())

    def being_written(self, now: int) -> bool:
        return bool(self.used) and all(readable > now for _, readable in self.used.values())


class Commons:
    """What conversations have in common: the prefix before the messages, by scope and kind."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[Hashable, Hashable], _Common] = {}

    def of(self, ask: Ask) -> _Common:
        """What is known of a call's shared prefix, to be added to."""
        return self._known.setdefault((ask.scope, ask.kind), _Common())


class Conversation:
    """The levels that one timeline's calls left in the cache. Calls come in the order they started."""

    __slots__ = ("_commons", "_levels", "_lifetime", "_name", "_seen")

    def __init__(self, name: Hashable, commons: Commons) -> None:
        self._name, self._commons = name, commons
        self._levels: dict[Hashable, list[_Level]] = {}
        self._lifetime: int | None = None
        self._seen = False

    def forecast(self, ask: Ask) -> Forecast:
        """What the rules expect of a call, given the calls observed so far."""
        why = self._why(ask)
        common = self._commons.of(ask)
        known = True
        if why in _OWN and (own := self._highest(ask)):
            read = own
        else:
            # The client's own summary request has just read all of the prefix, so what it shares is warm.
            is_warm = ask.reset is Reset.COMPACTED or common.alive(ask.start)
            read = common.size(why) if is_warm else 0
            known = why is not Why.FIRST or read > 0 or common.being_written(ask.start)
            if why is Why.EXPIRED:
                read = max(read, self._highest(ask))
        return Forecast(self._split(ask, read, common), why, known)

    def observe(self, ask: Ask, split: Split) -> None:
        """Take in how a call was billed."""
        why, common = self._why(ask), self._commons.of(ask)
        if split.cache_write_1h or split.cache_write_5m or self._lifetime is None:
            self._lifetime = LIFETIMES[LONG if split.cache_write_1h and not split.cache_write_5m else SHORT]
        own = self._highest(ask) if why in _OWN else 0
        if split.cache_read and (not own or split.cache_read < own):
            # Less than the conversation had left behind: only what stands before its messages was the same.
            common.sizes[why] = split.cache_read
        levels = [level for level in self._levels.get(ask.scope, ()) if level.size <= split.cache_read]
        for level in levels:
            if level.alive(ask.start):
                level.start = ask.start
        for size, lifetime in self._ends(split):
            if not levels or levels[-1].size < size:
                levels.append(_Level(size, ask.start, lifetime))
            elif levels[-1].size == size:
                levels[-1].start = ask.start
        self._levels[ask.scope] = levels
        # What it read others had written before: it need not wait for this call's own response.
        readable = ask.start if split.cache_read else ask.answered
        if self._name in common.used:
            readable = min(readable, common.used[self._name][1])
        common.used[self._name] = (_Level(0, ask.start, self._lifetime), readable)
        self._seen = True

    def _ends(self, split: Split) -> list[tuple[int, int]]:
        """Where this call's breakpoints stood, as far as its bill shows, with the lifetime of each."""
        long_end = split.cache_read + split.cache_write_1h
        ends = [(split.cache_read, self._lifetime or LIFETIMES[SHORT])] if split.cache_read else []
        if split.cache_write_1h:
            ends.append((long_end, LIFETIMES[LONG]))
        if split.cache_write_5m:
            ends.append((long_end + split.cache_write_5m, LIFETIMES[SHORT]))
        return ends

    def _why(self, ask: Ask) -> Why:
        if not self._seen:
            return Why.FIRST
        if ask.reset is not None:
            return Why.RESET
        levels = self._levels.get(ask.scope)
        if levels is None:
            return Why.REKEYED
        if levels and not levels[-1].alive(ask.start):
            return Why.EXPIRED
        return Why.SHORTENED if levels and levels[-1].size > ask.prompt else Why.CONTINUED

    def _highest(self, ask: Ask) -> int:
        alive = (level.size for level in self._levels.get(ask.scope, ()) if level.alive(ask.start))
        return max((size for size in alive if size <= ask.prompt), default=0)

    def _split(self, ask: Ask, read: int, common: _Common) -> Split:
        read = read if ask.minimum <= read <= ask.prompt else 0
        tail = min(ask.tail, ask.prompt - read)
        written = ask.prompt - read - tail
        if read + written < ask.minimum:
            return Split(input=ask.prompt)
        lifetime = self._lifetime or max((level.lifetime for level, _ in common.used.values()), default=0)
        if lifetime == LIFETIMES[LONG]:
            return Split(input=tail, cache_read=read, cache_write_1h=written)
        return Split(input=tail, cache_read=read, cache_write_5m=written)

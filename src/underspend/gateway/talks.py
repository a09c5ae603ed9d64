"""One conversation so far, as a gateway remembers it; and how it is remembered after a restart."""

from __future__ import annotations

import json
from bisect import insort
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from underspend.core.call import Call
from underspend.core.conversation import Kept
from underspend.core.foresight import new_from
from underspend.core.money import Money
from underspend.core.ports import Row
from underspend.core.slots import Slot
from underspend.core.usage import Usage
from underspend.promptcache.cache import LIFETIMES
from underspend.promptcache.prompt import LONG, SHORT

_GAPS = 1_000
_PART = 50
CACHE = "cache"
"""Stands in the ledger's `kept_edits` for a block's name where the row says how a conversation is cached."""


@dataclass(slots=True)
class Talk:
    """One conversation so far.

    `long` are the tokens of its prompt that were written for an hour, `long_until` is when they die. `marked` is
    whether we set breakpoints where its client sets none. `lowered` is the effort that we asked for in the last call,
    None where that was the client's own. `said` is what the ledger has of these four.
    """

    calls: int = 0
    last: int | None = None
    gaps: list[int] = field(default_factory=list)
    kept: dict[bytes, Kept] = field(default_factory=dict)
    model: str | None = None
    effort: str | None = None
    paid: Money = 0
    saved: Money = 0
    long: int = 0
    long_until: int = 0
    slot: Slot | None = None
    kept_slot: Slot | None = None
    marked: bool = False
    lowered: str | None = None
    simulated: int | None = None
    """When the last call was that our simulation of the cache knows of."""

    said: tuple[int, int, bool, str | None] = (0, 0, False, None)
    front: tuple[int, int, bool, bool] = (-1, -1, False, False)
    """Of the tools and instructions last seen: their sizes, whether they hold breakpoints, and any for an hour."""

    @property
    def cached(self) -> tuple[int, int, bool, str | None]:
        """How it is cached, as far as later calls need to know it."""
        return self.long, self.long_until if self.long else 0, self.marked, self.lowered

    @property
    def is_edited(self) -> bool:
        """Whether its calls were edited, or are sent to another model than is asked for."""
        return bool(self.kept) or (self.slot is not None and self.slot.is_away)

    def longest_pause(self, now: int) -> int:
        """The longest time between two of its calls, a call made now included (µs)."""
        idle = now - self.last if self.last is not None else 0
        return max(idle, self.gaps[-1]) if self.gaps else max(idle, 0)

    def pause(self, now: int, *, noted: bool) -> int | None:
        """The time since the last call."""
        if self.last is None:
            return None
        gap = max(0, now - self.last)
        if not noted:
            return gap
        insort(self.gaps, gap)
        if len(self.gaps) > _GAPS:
            del self.gaps[-2::-2]  # the longest stays: pauses are what they are kept for
        return gap

    def went(self, sent: Call, usage: Usage) -> None:
        """Take in how a call was split, in the tokens that its blocks were estimated at."""
        total = sum(block.tokens for block in sent.blocks)
        read, long = (count * total // usage.prompt for count in (usage.cache_read, usage.cache_write_1h))
        if long:
            self.long, self.long_until = read + long, sent.time + LIFETIMES[LONG]
        elif read < self.long - total // _PART:
            self.long = 0
        elif read <= self.long + total // _PART:
            self.long_until = sent.time + LIFETIMES[LONG]
        self.model, self.effort = sent.model, sent.effort

    def held(self, call: Call) -> tuple[int, int | None]:
        """What the cache may hold of a call's prompt where its calls before were not simulated, and when that dies.

        (0, None) where they were, or where nothing says that there were any: after a restart, and of calls that nobody
        took apart, it is only known when they were. To take what is warm for cold would be to pay for it again.
        """
        is_known_of = self.last is not None or self.marked or bool(self.kept)
        is_cached = self.marked or call.automatic or any(block.breakpoint for block in call.blocks)
        if not (is_known_of and is_cached) or (self.last is not None and self.simulated == self.last):
            return 0, None
        dies = (self.last if self.last is not None else call.time) + LIFETIMES[SHORT]
        dies = max(dies, self.long_until if self.long else 0)
        at = new_from(call.blocks)
        while at and call.blocks[at - 1].role == "assistant":
            at -= 1
        tokens = sum(block.tokens for block in call.blocks[:at])
        return (tokens, dies) if tokens and call.time < dies else (0, None)

    def passed(self, sent: Call, usage: Usage, paid: Money) -> None:
        """Take in a call that nobody took apart: when it was, what it cost, and whether any of it lives for an hour."""
        self.pause(sent.time, noted=True)
        self.calls, self.last = self.calls + 1, sent.time
        self.paid += paid
        if usage.cache_write_1h:
            # How much of it is not known in the tokens of its blocks: enough to have the next call taken apart.
            self.long, self.long_until = max(self.long, 1), sent.time + LIFETIMES[LONG]

    def remember(self, calls: Iterable[Row], kept: Iterable[Row]) -> None:
        """Take in what the ledger has of its calls, oldest first, and how it was cached."""
        for row in calls:
            at, paid, without = (
                int(cast("int", row[name] or 0)) for name in ("started_at", "cost_pico", "without_us_pico")
            )
            self.pause(at, noted=True)
            self.calls, self.last = self.calls + 1, at
            self.paid += paid
            self.saved += without - paid if row["without_us_pico"] is not None else 0
        for row in kept:
            if row["block"] == CACHE:
                with suppress(KeyError, TypeError, ValueError):
                    said = json.loads(str(row["edit"]))
                    self.long, self.long_until = int(said["long"]), int(said["until"])
                    self.marked = bool(said["marked"])
                    self.lowered = self.effort = said.get("effort")
                    self.said = self.cached


def cache_row(key: str, talk: Talk, at: int) -> Row:
    """How a conversation is cached, as a row of the ledger: the calls after a restart go on so."""
    said = {"long": talk.long, "until": talk.long_until, "marked": talk.marked, "effort": talk.lowered}
    made = json.dumps({"edit": CACHE, **said})
    return {"conversation": key[:255], "block": CACHE, "strategy": "cache_ttl", "edit": made, "kept_at": at}

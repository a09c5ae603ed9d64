"""Recorded traffic made ready for replay: every call with its prompt, its bill, and what its cache did.

The unedited world is simulated once, beside the record. Where the two part, the record is right, and what it shows is
noted for every other world too: a prompt that missed although it was warm misses there as well, one that others had
kept warm is warm there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from underspend import promptcache
from underspend.audit.replay.conversations import Recorded, common_prefixes, conversation
from underspend.audit.replay.money import Paid, paid_for
from underspend.audit.replay.undisturbed import undisturbed
from underspend.core.history import History
from underspend.core.money import Money
from underspend.pricing.catalogue import Catalogue, catalogue
from underspend.pricing.cost import cost
from underspend.promptcache import Cache, Growing, Names, Settings, Split

_PART = 50
"""Within one part of a prompt in 50 (2 %) the record agrees with the rules, as in the prediction's check."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """One call of the traffic. `expected` is how the rules, bounded by the record, split its unedited prompt.

    `at_least` and `at_most` are the bounds, as positions of its blocks: what others had kept warm, what was missed.
    `visible` is from when others can read what it wrote: its reply's beginning, or its conversation's next call.
    `counted` is False for a call before the time that is looked at, or a copy: it only leaves its traces.
    """

    recorded: Recorded
    settings: Settings
    minimum: int
    visible: int
    paid: Paid = field(repr=False)
    counted: bool = True
    expected: Split = field(default_factory=Split)
    at_least: int = -1
    at_most: int | None = None


@dataclass(slots=True, kw_only=True)
class Traffic:
    """Calls in the order they were sent.

    `apart` is what was billed besides them, by project and session: replies without a prompt of their own, which no
    policy can change. `missed` of `warm` tokens that the rules held to be cached were billed anew.
    """

    calls: list[Asked]
    prices: Catalogue
    apart: dict[tuple[str, str], Money] = field(default_factory=dict)
    unpriced: dict[str, int] = field(default_factory=dict)
    missed: int = 0
    warm: int = 0

    @property
    def recorded(self) -> Money:
        """The bill as it was."""
        return sum(self.apart.values()) + sum(each.paid.total for each in self.calls if each.counted)


Tick = Callable[[int, int], None]
"""Hears how many of how many calls are done."""


def silence(_done: int, _of: int) -> None:
    """A `Tick` that tells nobody."""


def traffic(history: History, prices: Catalogue | None = None, *, since: int | None = None) -> Traffic:
    """The calls of a history. What was answered before `since` (µs) is replayed, but not counted."""
    with undisturbed():
        made = traffic_of(_all(history), prices or catalogue(), since=since)
        _set_apart(history, made, since)
        return made


def traffic_of(recorded: Iterable[Recorded], prices: Catalogue, *, since: int | None = None) -> Traffic:
    """These calls as traffic in the order in which they were sent; a reply that two of them bear is counted once."""
    rows = sorted(recorded, key=lambda each: each.step.start)
    made = Traffic(calls=[], prices=prices)
    world = _Unedited(made)
    seen: set[str] = set()
    for row, visible in zip(rows, _visible(rows), strict=True):
        name, at = row.step.reply.message_id, row.step.reply.at
        counted = name not in seen and (since is None or at >= since)
        seen.add(name)
        made.calls.append(world.asked(row, visible=visible, counted=counted))
    return made


def _all(history: History) -> list[Recorded]:
    prefixes = common_prefixes(history.timelines)
    return [each for row, line in enumerate(history.timelines) for each in conversation(line, row, prefixes)]


def _visible(rows: list[Recorded]) -> list[int]:
    """When each call's writes can be read.

    Copied calls bear one time, and yet each had read what the one before it wrote.
    """
    following: dict[int, int] = {}
    found = []
    for row in reversed(rows):
        start, answered = row.step.start, row.step.reply.at
        found.append(min(answered, following.get(row.row, answered)))
        following[row.row] = start
    return found[::-1]


def _set_apart(history: History, made: Traffic, since: int | None) -> None:
    seen = {asked.recorded.step.reply.message_id for asked in made.calls}
    for line, reply in history.replies():
        if reply.message_id in seen:
            continue
        seen.add(reply.message_id)
        bill = cost(reply.metered, at=reply.at, catalogue=made.prices)
        if since is None or reply.at >= since:
            key = (line.project, line.session)
            made.apart[key] = made.apart.get(key, 0) + bill.total
            for model in bill.unpriced:
                made.unpriced[model] = made.unpriced.get(model, 0) + 1


class _Unedited:
    """The world as it was, simulated beside its record."""

    def __init__(self, made: Traffic) -> None:
        self._made = made
        self._cache, self._names = Cache(), Names()
        self._prompts: dict[int, Growing] = {}

    def asked(self, row: Recorded, *, visible: int, counted: bool) -> Asked:
        """The next call."""
        step, prices = row.step, self._made.prices
        bill = cost(step.reply.metered, at=step.reply.at, catalogue=prices)
        for model in bill.unpriced if counted else ():
            self._made.unpriced[model] = self._made.unpriced.get(model, 0) + 1
        settings, minimum = settings_of(row.call.model, row.call.effort, row.call.speed, prices)
        asked = Asked(
            recorded=row,
            settings=settings,
            minimum=minimum,
            visible=visible,
            paid=paid_for(step, bill, prices),
            counted=counted,
        )
        self._simulate(asked)
        return asked

    def _simulate(self, asked: Asked) -> None:
        row, step = asked.recorded, asked.recorded.step
        growing = self._prompts.setdefault(row.row, Growing(self._names))
        growing.follow(row.base, asked.settings)
        prompt = growing.prompt(row.marks, asked.minimum)
        top, _ = self._cache.find(prompt, step.start)
        ruled, read = growing.sizes[top] if top >= 0 else 0, step.usage.cache_read
        slack = step.usage.prompt // _PART
        if read > ruled + slack:
            asked.at_least = bisect_right(growing.sizes, read + slack) - 1
        elif read < ruled - slack:
            asked.at_most = bisect_right(growing.sizes, read + slack) - 1
            self._made.missed += ruled - read
        self._made.warm += ruled
        asked.expected = self._cache.admit(prompt, step.start, at_least=asked.at_least, at_most=asked.at_most)
        self._cache.began(asked.expected, asked.visible)


@lru_cache(maxsize=1024)
def settings_of(model: str, effort: str | None, speed: str | None, prices: Catalogue) -> tuple[Settings, int]:
    """What the cache's key holds of a call, and the shortest prefix its model caches."""
    listed = prices.find(model, provider="anthropic")
    made = promptcache.settings_of(listed.id if listed else model, effort, speed)
    return made, (listed.min_cache if listed else None) or 0

"""What a call would have cost without us: the same traffic in worlds with fewer strategies, each with its own cache.

World 0 has no strategy, world 1 the first on the list, and so on; the last is the one that is billed. A world is
simulated apart from the one before it from the first edit of its strategy on: until then both are the same. What a
strategy saved is the difference between its world and the one before, so a rewrite that it caused, now or later, is
charged to it.
"""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from underspend.core.call import Call
from underspend.core.editing import apply
from underspend.core.money import Money
from underspend.core.plan import Plan
from underspend.core.usage import Metered, Usage
from underspend.gateway.ruler import Anchors, Ruler
from underspend.pricing.catalogue import Catalogue
from underspend.pricing.cost import cost
from underspend.promptcache import Cache, Growing, Names, Settings, Split, settings_of

_CONVERSATIONS = 2_000
_NAMES = 1_000_000
_THINKING = frozenset({"thinking", "redacted_thinking"})
_PART = 50
"""Within one part of a prompt in 50 (2 %) the bill agrees with the rules; beyond, the bill is right."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one strategy's edits, of this call and of those before it, saved on this call; negative where they cost."""

    strategy: str
    saved: Money


@dataclass(slots=True)
class _World:
    """The worlds of ranks `first` to `last`, as long as they are the same."""

    first: int
    last: int
    cache: Cache = field(default_factory=Cache)
    prompts: OrderedDict[str, Growing] = field(default_factory=OrderedDict)

    def prompt(self, key: str, names: Names) -> Growing:
        found = self.prompts.get(key)
        if found is None:
            found = self.prompts[key] = Growing(names)
            if len(self.prompts) > _CONVERSATIONS:
                self.prompts.popitem(last=False)
        self.prompts.move_to_end(key)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a call ended, for the books of every world. Times in µs: when it was sent, when its reply began."""

    sent: int
    began: int
    metered: Metered


class Worlds:
    """All worlds of one gateway. `strategies` are the names of those that are on, in order."""

    def __init__(self, strategies: Sequence[str], prices: Catalogue) -> None:
        self._prices = prices
        self._ranks = {name: rank for rank, name in enumerate(strategies, start=1)}
        self._names = Names()
        self._ruler = Ruler()
        self._worlds = [_World(0, len(strategies))]

    def warm(self, key: str, call: Call, now: int) -> tuple[int, int | None]:
        """The tokens of a prompt that the provider's cache should hold, and when they die (µs); (0, None) when cold."""
        marks = _marks(call)
        if not marks:
            return 0, None
        real = self._worlds[-1]
        growing = real.prompt(key, self._names)
        growing.follow(call.blocks, self._settings(call))
        top, until = real.cache.find(growing.prompt(marks, self._minimum(call)), now)
        return (growing.sizes[top], until) if top >= 0 else (0, None)

    def settle(self, key: str, plan: Plan, ended: Ended) -> tuple[Effect, ...]:
        """Take in how a call ended, in every world. The effects of strategies in order, without those that had none."""
        self._part(plan)
        self._forget_names()
        calls = [self._call(plan, world.last) for world in self._worlds[:-1]]
        costs = self._uncached(ended, calls, plan.call) or self._cached(key, ended, calls, plan.call)
        return tuple(
            Effect(strategy, costs[number - 1] - costs[number])
            for number in range(1, len(self._worlds))
            for strategy in [self._first_of(self._worlds[number])]
        )

    def _cached(self, key: str, ended: Ended, calls: Sequence[Call], sent: Call) -> list[Money]:
        """The bill of every world, each with what its cache holds; the last is the real one, with the call as sent."""
        real = self._worlds[-1]
        total = self._follow(real, key, sent)
        bounds = self._bounds(real, key, sent, total, ended)
        anchors: Anchors = ()
        costs: list[Money] = []
        # The real one first: the others are measured by its bill.
        for world, call in zip(reversed(self._worlds), (sent, *reversed(calls)), strict=True):
            if world is not real:
                self._follow(world, key, call)
            growing = world.prompts[key]
            prompt = growing.prompt(_marks(call), self._minimum(call))
            split = world.cache.admit(prompt, ended.sent, at_least=bounds[0], at_most=bounds[1])
            world.cache.began(split, ended.began)
            if world is real:
                anchors = self._ruler.learn(growing, split, _billed(ended.metered))
            costs.insert(0, self._cost(ended, (growing, split), anchors, call, sent))
        return costs

    def _uncached(self, ended: Ended, calls: Sequence[Call], sent: Call) -> list[Money]:
        """The same of a call that asks for no caching in any world, so that no cache need be gone through; else [].

        A call that asks for none neither reads nor writes: all of its prompt is fresh.
        """
        if any(_marks(call) for call in (*calls, sent)):
            return []
        billed, total, costs = _billed(ended.metered), _tokens(sent), list[Money]()
        before: Call | None = None
        for call in (*calls, sent):
            if before is None or not _is_billed_alike(before, call):
                own = total if call.blocks is sent.blocks else _tokens(call)
                usage = Usage(input=billed.prompt * own // total, output=billed.output) if total else billed
                costs.append(self._priced(ended, usage, call, sent))
            else:
                costs.append(costs[-1])
            before = call
        return costs

    def _first_of(self, world: _World) -> str:
        return next(name for name, rank in self._ranks.items() if rank == world.first)

    def _part(self, plan: Plan) -> None:
        """Simulate apart what an edit has made different."""
        done = {each.strategy for each in plan.decisions if each.applied and self._counts(each.strategy)}
        for rank in sorted(self._ranks[name] for name in done):
            at = next(n for n, world in enumerate(self._worlds) if world.first <= rank <= world.last)
            world = self._worlds[at]
            if world.first < rank:
                self._worlds.insert(at + 1, _World(rank, world.last, copy.deepcopy(world.cache)))
                world.last = rank - 1

    def _counts(self, strategy: str) -> bool:
        return strategy in self._ranks

    def _call(self, plan: Plan, rank: int) -> Call:
        """The call as it would have been sent with the strategies up to a rank."""
        call = plan.asked
        for decision in plan.decisions:
            if decision.applied and self._ranks.get(decision.strategy, 0) <= rank:
                call = apply(decision.edit, call)
        return call

    def _follow(self, world: _World, key: str, call: Call) -> int:
        growing = world.prompt(key, self._names)
        growing.follow(call.blocks, self._settings(call))
        return growing.total

    def _bounds(self, world: _World, key: str, call: Call, total: int, ended: Ended) -> tuple[int, int | None]:
        """How far the bill says that the prompt was read, where that is not what the rules say: by positions."""
        usage = ended.metered.usage
        growing = world.prompts[key]
        top, _ = world.cache.find(growing.prompt(_marks(call), self._minimum(call)), ended.sent)
        ruled = growing.sizes[top] if top >= 0 else 0
        read = usage.cache_read * total // max(1, usage.prompt)
        slack = total // _PART
        position = bisect_right(growing.sizes, read + slack) - 1
        if read > ruled + slack:
            return position, None
        return (-1, position) if read < ruled - slack else (-1, None)

    def _cost(self, ended: Ended, ruled: tuple[Growing, Split], anchors: Anchors, call: Call, sent: Call) -> Money:
        """A world's bill: the reply as it was, its prompt as this world's cache would have split it."""
        growing, split = ruled
        billed, total = _billed(ended.metered), anchors[-1][0]
        if total:
            own = growing.total
            if own != total:  # edited: what is not known exactly is in proportion
                anchors = ((own, billed.prompt * own // total),)
            billed = self._ruler.measured(growing, split, anchors, billed.output)
        return self._priced(ended, billed, call, sent)

    def _priced(self, ended: Ended, usage: Usage, call: Call, sent: Call) -> Money:
        """The reply as it was, billed for this usage, by the price list of the call's provider."""
        metered = ended.metered
        at = _prompt_unit(metered)
        if at is None:
            return 0
        units = list(metered.units)
        if usage != units[at].usage:
            units[at] = replace(units[at], usage=usage)
            metered = replace(metered, units=tuple(units))
        model = call.model if (call.provider, call.model) != (sent.provider, sent.model) else None
        if call.provider not in {sent.provider, metered.provider}:
            # Another provider's world is billed by that provider's list.
            metered = replace(metered, provider=call.provider)
        return cost(metered, at=ended.sent, catalogue=self._prices, model=model).total

    def _settings(self, call: Call) -> Settings:
        listed = self._prices.find(call.model, provider=call.provider)
        return settings_of(listed.id if listed is not None else call.model, call.effort, call.speed)

    def _minimum(self, call: Call) -> int:
        listed = self._prices.find(call.model, provider=call.provider)
        return (listed.min_cache if listed is not None else None) or 0

    def _forget_names(self) -> None:
        """Begin anew once too much is known: a gateway runs for months. Until caches are full again the bill rules."""
        if len(self._names) > _NAMES:
            self._names = Names()
            self._ruler.clear()
            for world in self._worlds:
                world.cache.clear()
                world.prompts.clear()


def _tokens(call: Call) -> int:
    return sum([block.tokens for block in call.blocks])


def _is_billed_alike(one: Call, other: Call) -> bool:
    return (one.model, one.provider) == (other.model, other.provider) and one.blocks is other.blocks


def _marks(call: Call) -> list[tuple[int, str]]:
    """Where a call's breakpoints stand; one left to the provider stands on the last block that can carry it."""
    marks = [(at, block.breakpoint) for at, block in enumerate(call.blocks) if block.breakpoint is not None]
    if call.automatic is not None:
        last = next((at for at in reversed(range(len(call.blocks))) if call.blocks[at].kind not in _THINKING), None)
        if last is not None and (not marks or marks[-1][0] != last):
            marks.append((last, call.automatic))
    return marks


def _prompt_unit(metered: Metered) -> int | None:
    """Which unit of a reply is billed for its prompt."""
    return next((n for n, unit in enumerate(metered.units) if unit.billed and unit.usage.prompt), None)


def _billed(metered: Metered) -> Usage:
    at = _prompt_unit(metered)
    return Usage() if at is None else metered.units[at].usage

"""What a policy would have cost: all of it, each strategy alone and last, and where it hurts.

The record's dollars are the base of every figure. A replay gives what the edited world differs by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from underspend.audit.replay.outcomes import Outcomes
from underspend.audit.replay.play import Cost, Deeds, Played, play
from underspend.audit.replay.traffic import Tick, Traffic, silence
from underspend.core.engine import Step
from underspend.core.evidence import Evidence
from underspend.core.money import Money, scale
from underspend.core.strategy import State

BOUND_PERCENT = 2
"""No session may be dearer than this under a policy that claims to be harmless."""


@dataclass(frozen=True, slots=True)
class Saving:
    """Recorded minus replayed dollars; below zero where the policy costs money.

    `low` is held to the assumptions that make the policy dearest, and to as many misses of warm prompts as the record
    shows; `high` to those that make it cheapest.
    """

    low: Money = 0
    expected: Money = 0
    high: Money = 0

    def __sub__(self, other: Saving) -> Saving:
        return Saving(self.low - other.low, self.expected - other.expected, self.high - other.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One strategy's part.

    `alone` is the policy of it alone, `last` what it adds to all the others, `step` its part of the waterfall: what it
    adds to those before it.
    """

    name: str
    alone: Saving
    last: Saving
    step: Saving
    deeds: Deeds
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A project or a session: its bill as it was and under the policy."""

    name: str
    project: str
    calls: int
    recorded: Money
    replayed: Money

    @property
    def saved(self) -> Money:
        """Recorded minus replayed."""
        return self.recorded - self.replayed

    @property
    def is_out_of_bounds(self) -> bool:
        """Whether it became dearer by more than 2 %."""
        return -self.saved * 100 > self.recorded * BOUND_PERCENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The whole comparison.

    `sessions` are the worst-hit first. `others` are strategies that are not on: what each would add to the policy.
    `left_out` cannot be replayed. Of `warm` tokens that the rules held to be cached the record `missed` some: what the
    low end of savings is held to.
    """

    calls: int
    recorded: Money
    saved: Saving
    parts: Sequence[Part]
    projects: Sequence[Group]
    sessions: Sequence[Group]
    others: Sequence[Part] = ()
    left_out: Sequence[str] = ()
    faults: dict[str, dict[str, int]] = field(default_factory=dict)
    unpriced: dict[str, int] = field(default_factory=dict)
    missed: int = 0
    warm: int = 0

    @property
    def replayed(self) -> Money:
        """The bill under the policy."""
        return self.recorded - self.saved.expected


class Replays:
    """Replays of one traffic, each policy once. `outcomes` makes what routing learns from, anew for each."""

    def __init__(
        self,
        traffic: Traffic,
        tick: Callable[[str], Tick] = lambda _name: silence,
        outcomes: Callable[[], Outcomes] | None = None,
    ) -> None:
        self.traffic = traffic
        self._tick = tick
        self._outcomes = outcomes
        self._known: dict[tuple[str, ...], Played] = {}

    def of(self, steps: Sequence[Step]) -> Played:
        """The traffic under these strategies; those that are on for no call are on for all."""
        on = [step if step.is_on_somewhere else Step(step.strategy, State.ON) for step in steps]
        # A strategy is a dataclass: it is what its settings are, and some of them cannot be hashed.
        key = tuple(repr(step) for step in on)
        if key not in self._known:
            name = " + ".join(step.strategy.name for step in steps) or "no strategy"
            learned = self._outcomes() if self._outcomes is not None else None
            self._known[key] = play(self.traffic, on, self._tick(name), learned)
        return self._known[key]

    def saving(self, steps: Sequence[Step]) -> Saving:
        """What these strategies would have saved together."""
        return saving(self.traffic, self.of(steps).costs) if steps else Saving()


def saving(traffic: Traffic, costs: Iterable[Cost | None]) -> Saving:
    """Recorded minus replayed, over the calls that count."""
    low = expected = high = hoped = 0
    for asked, cost in zip(traffic.calls, costs, strict=True):
        if cost is not None and asked.counted:
            paid = asked.paid.total
            low += paid - cost.high
            expected += paid - cost.expected
            high += paid - cost.low
            hoped += cost.gained
    risk = scale(hoped, min(traffic.missed, traffic.warm), traffic.warm) if traffic.warm else 0
    return Saving(low - risk, expected, high)


def outcome(replays: Replays, steps: Sequence[Step], *, others: bool = True) -> Outcome:
    """Compare a policy with the record. `others` also tries each strategy that is not on, last."""
    traffic = replays.traffic
    usable = [step for step in steps if step.strategy.edits]
    on = [step for step in usable if step.is_on_somewhere]
    together = replays.of(on)
    acting = _acting(replays, on, together)
    total = replays.saving(on)
    more = [_other(replays, on, total, step) for step in usable if not step.is_on_somewhere] if others else []
    return Outcome(
        calls=sum(asked.counted for asked in traffic.calls),
        recorded=traffic.recorded,
        saved=total,
        parts=_parts(replays, on, acting, together, total),
        projects=_groups(traffic, together, by_project=True),
        sessions=_groups(traffic, together, by_project=False),
        others=sorted(more, key=lambda part: -part.last.expected),
        left_out=[step.strategy.name for step in steps if not step.strategy.edits],
        faults={name: deeds.faults for name, deeds in together.deeds.items() if deeds.faults},
        unpriced=traffic.unpriced,
        missed=traffic.missed,
        warm=traffic.warm,
    )


def _acting(replays: Replays, on: Sequence[Step], together: Played) -> list[Step]:
    """The strategies that do anything, alone or with the others.

    Those that do nothing beside the others are tried together: if none of them acts then, none would alone.
    """
    silent = [step for step in on if not _did(together, step)]
    alone = replays.of(silent) if silent and len(silent) < len(on) else together
    return [step for step in on if _did(together, step) or _did(alone, step)]


def _did(played: Played, step: Step) -> bool:
    return played.deeds[step.strategy.name].edits > 0


def _parts(replays: Replays, on: Sequence[Step], acting: list[Step], together: Played, total: Saving) -> list[Part]:
    parts = []
    before: list[Step] = []
    so_far = Saving()
    for step in on:
        name = step.strategy.name
        deeds = together.deeds[name]
        alone = last = added = Saving()
        if step in acting:
            alone = replays.saving([step])
            last = total - replays.saving([other for other in acting if other is not step])
            before.append(step)
            reached = total if len(before) == len(acting) else replays.saving(before)
            added, so_far = reached - so_far, reached
        parts.append(Part(name=name, alone=alone, last=last, step=added, deeds=deeds, evidence=evidence_of(deeds)))
    return parts


def _other(replays: Replays, on: Sequence[Step], total: Saving, step: Step) -> Part:
    alone = replays.of([step])
    saved = replays.saving([step])
    last = saved
    deeds = alone.deeds[step.strategy.name]
    if on:
        both = [*on, step]
        deeds = replays.of(both).deeds[step.strategy.name]
        last = replays.saving(both) - total
    return Part(name=step.strategy.name, alone=saved, last=last, step=last, deeds=deeds, evidence=evidence_of(deeds))


def evidence_of(deeds: Deeds) -> Evidence:
    """Breakpoints are simulated to the token; for what alters the prompt or the reply tokens are estimates."""
    return Evidence.ESTIMATED if deeds.alters_meaning else Evidence.SIMULATED


def _groups(traffic: Traffic, played: Played, *, by_project: bool) -> list[Group]:
    """Projects by dollars, or sessions by how much dearer they became."""
    sums: dict[tuple[str, str], list[int]] = {}
    for (project, session), amount in traffic.apart.items():
        entry = sums.setdefault((project, "" if by_project else session), [0, 0, 0])
        entry[1] += amount
        entry[2] += amount
    for asked, cost in zip(traffic.calls, played.costs, strict=True):
        if asked.counted:
            line = asked.recorded.step.line
            entry = sums.setdefault((line.project, "" if by_project else line.session), [0, 0, 0])
            entry[0] += 1
            entry[1] += asked.paid.total
            entry[2] += asked.paid.total if cost is None else cost.expected
    made = [
        Group(name=session or project, project=project, calls=calls, recorded=was, replayed=now)
        for (project, session), (calls, was, now) in sums.items()
    ]
    if by_project:
        return sorted(made, key=lambda group: (-group.recorded, group.name))
    return sorted(made, key=lambda group: (group.saved, group.name, group.project))

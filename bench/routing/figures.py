"""The figures of a router that orders tasks by what a dear model is worth: APGR, and cost at a share of its quality.

Definitions as in RouteLLM (Ong et al., 2024). Tasks of equal score are taken as a whole, in equal parts: a router that
cannot tell tasks apart is a random mix, by definition.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean


@dataclass(frozen=True, slots=True)
class Outcome:
    """What both models made of a task: quality from 0 to 1, and dollars."""

    cheap: float
    dear: float
    cheap_cost: float
    dear_cost: float


Scored = Sequence[tuple[float, Outcome]]


def _groups(scored: Scored) -> list[tuple[int, float, float]]:
    """Tasks from the highest score down, equal ones together: how many, what the dear model gains, dollars more."""
    ordered = sorted(scored, key=lambda one: -one[0])
    found = []
    for _, group in groupby(ordered, key=lambda one: one[0]):
        tasks = [outcome for _, outcome in group]
        gained = sum(task.dear - task.cheap for task in tasks)
        found.append((len(tasks), gained, sum(task.dear_cost - task.cheap_cost for task in tasks)))
    return found


def apgr(scored: Scored) -> float:
    """The mean, over all shares of dear calls, of the part of the gap in quality that is made up."""
    area = before = 0.0
    for size, gained, _ in _groups(scored):
        area += size * (before + gained / 2)
        before += gained
    return area / len(scored) / before if before else 0.5


def cost_at(scored: Scored, share: float) -> float:
    """The least dollars, over those of the dear model alone, at which so much of its quality is reached."""
    wanted = share * sum(outcome.dear for _, outcome in scored)
    alone = sum(outcome.dear_cost for _, outcome in scored)
    quality, dollars = sum(outcome.cheap for _, outcome in scored), sum(outcome.cheap_cost for _, outcome in scored)
    if quality >= wanted:
        return dollars / alone
    for _, gained, more in _groups(scored):
        if quality + gained >= wanted:
            return (dollars + more * (wanted - quality) / gained) / alone
        quality, dollars = quality + gained, dollars + more
    return 1.0


def dear_share(scored: Scored, part: float) -> float:
    """The least share of dear calls at which such a part of the gap is made up."""
    gap = sum(outcome.dear - outcome.cheap for _, outcome in scored)
    gained_so_far, calls = 0.0, 0.0
    for size, gained, _ in _groups(scored):
        if gained > 0 and gained_so_far + gained >= part * gap:
            return (calls + size * (part * gap - gained_so_far) / gained) / len(scored)
        gained_so_far, calls = gained_so_far + gained, calls + size
    return 1.0


def interval(scored: Scored, figure: Callable[[Scored], float], rounds: int, seed: int = 1) -> tuple[float, float]:
    """The middle 95 % of a figure over resamples of the tasks."""
    chance = random.Random(seed)
    values = sorted(figure(chance.choices(scored, k=len(scored))) for _ in range(rounds))
    return values[int(0.025 * rounds)], values[min(rounds - 1, int(0.975 * rounds))]


def paired_interval(
    ours: Scored, theirs: Scored, figure: Callable[[Scored], float], rounds: int, seed: int = 1
) -> tuple[float, float]:
    """The middle 95 % of the difference of two routers' figures over resamples of the same tasks."""
    chance, places = random.Random(seed), range(len(ours))
    values = []
    for _ in range(rounds):
        drawn = chance.choices(places, k=len(ours))
        values.append(figure([ours[place] for place in drawn]) - figure([theirs[place] for place in drawn]))
    values.sort()
    return values[int(0.025 * rounds)], values[min(rounds - 1, int(0.975 * rounds))]


def mean(values: Sequence[float]) -> float:
    """Their mean, nan of none."""
    return fmean(values) if values else float("nan")

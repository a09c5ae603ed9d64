"""What the run-time router makes of the tasks: on held-out folds, on unseen groups, from cold, and under a promise."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

from routing.figures import Outcome, Scored, apgr, cost_at, mean, paired_interval
from routing.tasks import Task
from underspend.core.money import PICO_PER_DOLLAR
from underspend.routing.beliefs import Arm, Result
from underspend.routing.certificate import Promised, learn_then_test
from underspend.routing.features import describe
from underspend.routing.knowledge import Knowledge
from underspend.routing.standing import did

FOLDS = 5
CHEAP, DEAR = Arm("claude-3-haiku-20240307"), Arm("claude-3-5-sonnet-20241022")
UNKNOWN_CHEAP, UNKNOWN_DEAR = Arm("cheap"), Arm("dear")
"""The pair of the tier task, whose tiers the priors know, and that of the other tracks, of which they know nothing."""

ENOUGH_TASKS, ENOUGH_REST = 20, 300
"""With fewer tasks a part that was left out says nothing, nor does the rest of a pool a promise is looked at on."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A task with what the router knew of it.

    `gain` is how much more the dear model does, `score` that with tasks that do not pay for it put last,
    `per_dollar` the gain over what it costs more.
    """

    task: Task
    part: str
    kind: str
    score: float
    gain: float
    per_dollar: float

    def by(self, order: str) -> tuple[float, Outcome]:
        return getattr(self, order), self.task.outcome


def scored(judged: Iterable[Judged], order: str = "score") -> Scored:
    """Tasks in the form the figures take."""
    return [one.by(order) for one in judged]


def arms(track: str) -> tuple[Arm, Arm]:
    return (CHEAP, DEAR) if track == "tier" else (UNKNOWN_CHEAP, UNKNOWN_DEAR)


class Seen:
    """Class and features of each task, found once."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[str, tuple[int, ...]]] = {}

    def of(self, task: Task) -> tuple[str, tuple[int, ...]]:
        if id(task) not in self._found:
            self._found[id(task)] = describe(task.asked)
        return self._found[id(task)]


SEEN = Seen()


def taught(tasks: Sequence[Task], seed: int = 0) -> Knowledge:
    """What is known after the outcomes of both models on these tasks, in an order of chance, each once."""
    knowledge = Knowledge()
    order = list(tasks)
    random.Random(seed).shuffle(order)
    for task in order:
        kind, features = SEEN.of(task)
        made = task.outcome
        for arm, quality, dollars in zip(
            arms(task.track), (made.cheap, made.dear), (made.cheap_cost, made.dear_cost), strict=True
        ):
            cost = round(dollars * PICO_PER_DOLLAR)
            knowledge.learn(Result(task=kind, arm=arm, quality=quality, cost=cost, at=0, features=features))
    return knowledge


def judge(knowledge: Knowledge, tasks: Sequence[Task], part: str) -> list[Judged]:
    """Score tasks by what is known."""
    found = []
    for task in tasks:
        kind, features = SEEN.of(task)
        cheap, dear = arms(task.track)
        worth, gain = (tell(kind, features, dear, cheap) for tell in (knowledge.worth, knowledge.score))
        found.append(Judged(task, part, kind, worth, gain, gain / dollars_more(knowledge, kind, task.track)))
    return found


def dollars_more(knowledge: Knowledge, kind: str, track: str) -> float:
    """What the dear model is expected to cost more for a task of a class; 1 where it is not known to."""
    cheap, dear = (knowledge.statistics.cost(kind, arm) for arm in arms(track))
    return (dear - cheap) / PICO_PER_DOLLAR if cheap is not None and dear is not None and dear > cheap else 1.0


def fold_of(task: Task) -> int:
    return crc32(task.name.encode()) % FOLDS


def split(tasks: Sequence[Task], part_of: Callable[[Task], object]) -> list[Judged]:
    """Each part of the tasks judged by what is known from all others."""
    parts = sorted({str(part_of(task)) for task in tasks})
    judged = []
    for part in parts:
        inside = [task for task in tasks if str(part_of(task)) == part]
        outside = [task for task in tasks if str(part_of(task)) != part]
        judged += judge(taught(outside), inside, part)
    return judged


def constant(judged: Sequence[Judged]) -> Scored:
    """A random mix: nothing is told apart."""
    return [(0.0, one.task.outcome) for one in judged]


def unseen(judged: Sequence[Judged], rounds: int) -> list[dict[str, object]]:
    """For each part that was left out: cost at 98 % beside a random mix, and the interval of the difference."""
    rows = []
    for part in sorted({one.part for one in judged}):
        inside = [one for one in judged if one.part == part]
        if len(inside) < ENOUGH_TASKS or sum(one.task.outcome.dear - one.task.outcome.cheap for one in inside) <= 0:
            continue
        ours, mix = scored(inside), constant(inside)
        low, high = paired_interval(ours, mix, lambda found: cost_at(found, 0.98), rounds)
        rows.append(
            {
                "left out": part,
                "tasks": len(inside),
                "APGR": apgr(scored(inside)),
                "cost@98": cost_at(ours, 0.98),
                "random": cost_at(mix, 0.98),
                "difference": [low, high],
                "never worse": low <= 0,
            }
        )
    return rows


def from_cold(tasks: Sequence[Task], outcomes: int, draws: int) -> dict[str, list[float]]:
    """APGR within each group after so many local outcomes, for several draws of them."""
    found: dict[str, list[float]] = {}
    for group in sorted({task.group for task in tasks}):
        inside = [task for task in tasks if task.group == group]
        for draw in range(draws):
            order = inside[:]
            random.Random(draw).shuffle(order)
            if len(order) < outcomes + 50:
                continue
            knowledge = taught(order[:outcomes], seed=draw)
            found.setdefault(group, []).append(apgr(scored(judge(knowledge, order[outcomes:], group))))
    return found


def promises(
    judged: Sequence[Judged], epsilon: float, delta: float, sizes: Sequence[int], splits: int
) -> list[dict[str, object]]:
    """How often a certificate's promise is broken, and what the routing it allows costs.

    `exact`: calibrated on draws with replacement, so that the pool's own rate is the truth. `split`: calibrated without
    replacement and looked at on the rest, whose own luck comes on top.
    """
    pool = [(-one.gain, _regret(one.task.outcome), one.task.outcome) for one in judged]
    dear_alone = sum(outcome.dear_cost for *_, outcome in pool)
    rows = []
    for size in sizes:
        chance = random.Random(size)
        broken, broken_split, checked, costs = 0, 0, 0, []
        for _ in range(splits):
            drawn = chance.choices(pool, k=size)
            threshold = learn_then_test([point[:2] for point in drawn], Promised(epsilon, delta)).threshold
            broken += _rate(pool, threshold) > epsilon
            routed = sum(
                o.dear_cost - o.cheap_cost for score, _, o in pool if threshold is not None and score >= threshold
            )
            costs.append(1 - routed / dear_alone)
            if len(pool) - size >= ENOUGH_REST:
                mixed = chance.sample(pool, len(pool))
                checked += 1
                passed = learn_then_test([point[:2] for point in mixed[:size]], Promised(epsilon, delta)).threshold
                broken_split += _rate(mixed[size:], passed) > epsilon
        rows.append(
            {
                "epsilon": epsilon,
                "results": size,
                "broken, exact": broken / splits,
                "broken, split": broken_split / checked if checked else None,
                "cost": mean(costs),
            }
        )
    return rows


def _regret(outcome: Outcome) -> bool:
    return did(outcome.dear) and not did(outcome.cheap)


def _rate(pool: Sequence[tuple[float, bool, Outcome]], threshold: float | None) -> float:
    if threshold is None:
        return 0.0
    return sum(regret for score, regret, _ in pool if score >= threshold) / len(pool)

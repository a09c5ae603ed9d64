"""What the user's own outcomes say of an arm for a class of tasks: a Beta for its quality, a log-normal for its cost.

A class with few results leans on its coarse class, that on all of the arm's results, and those on a weak prior. How
much it leans is fixed: a coarser level counts as so many results of the finer one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from functools import cache, lru_cache
from math import exp, log, sqrt
from pathlib import Path
from typing import Any, Final

from underspend.core.money import Money
from underspend.routing.beliefs import Arm, Belief
from underspend.routing.classes import coarse

EVERYTHING: Final = ""
"""The level above all coarse classes."""

_LEANS_ON_COARSE = 4.0
_LEANS_ON_ALL = 4.0
_NINETY_PERCENT = 1.2816
_WIDEST = 4.0
_BEYOND_CHANCE = 1.0
_MANY_RESULTS = 200.0


@cache
def _priors() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("data").joinpath("priors.toml").read_text("utf-8"))


@lru_cache(maxsize=4096)
def prior(model: str, task: str) -> tuple[float, float]:
    """What is supposed of a model for a task before any result: the rate, and how many results it is worth."""
    data = _priors()
    tiers: list[list[str]] = data["tiers"]
    tier = _tier(model, tiers)
    least = next((name for name, tasks in data["least"].items() if coarse(task) in tasks), None)
    if tier is None or least is None:
        return float(data["unknown"]), float(data["worth"])
    below = tier - next(place for place, words in enumerate(tiers) if least in words)
    rate = data["enough"] if below <= 0 else data["one_below"] if below == 1 else data["two_below"]
    return float(rate), float(data["worth"])


def _tier(model: str, tiers: list[list[str]]) -> int | None:
    parts = model.lower().replace(".", "-").replace("/", "-").split("-")
    return next((place for place, words in enumerate(tiers) if any(word in parts for word in words)), None)


@dataclass(slots=True)
class Tally:
    """Sums over results: quality and its weight, and the logarithm of costs above zero, its square and its count."""

    quality: float = 0.0
    weight: float = 0.0
    costs: float = 0.0
    log_cost: float = 0.0
    log_cost_squared: float = 0.0

    def add(self, quality: float, cost: Money, weight: float) -> None:
        """Count one result."""
        self.quality += quality * weight
        self.weight += weight
        if cost > 0:
            size = log(cost)
            self.costs += weight
            self.log_cost += size * weight
            self.log_cost_squared += size * size * weight


_NONE: Final = Tally()
_MOST_HELD: Final = 4_096


@dataclass(slots=True)
class Statistics:
    """Tallies per arm and class, its coarse class and all."""

    tallies: dict[tuple[str, Arm], Tally] = field(default_factory=dict)
    added: int = field(default=0, compare=False, repr=False)
    _held: dict[tuple[str, Arm], tuple[int, Belief]] = field(default_factory=dict, compare=False, repr=False)
    """Beliefs by class alone, each with how much was added when it was formed: it holds until more is."""

    def add(self, task: str, arm: Arm, quality: float, cost: Money, weight: float = 1.0) -> None:
        """Count a result for its class, its coarse class and all."""
        for level in dict.fromkeys((task, _level(task), EVERYTHING)):
            self.tallies.setdefault((level, arm), Tally()).add(quality, cost, weight)
        self.added += 1

    def forget(self, arm: Arm) -> None:
        """Drop all results of an arm."""
        self.tallies = {key: tally for key, tally in self.tallies.items() if key[1] != arm}
        self.added += 1

    def rate(self, task: str, arm: Arm) -> float:
        """The expected quality of an arm in a class, strictly between 0 and 1."""
        return self._rates(task, arm)[-1]

    def _rates(self, task: str, arm: Arm) -> tuple[float, float, float]:
        """The expected quality over all, in the coarse class and in the class."""
        supposed, worth = prior(arm.model, task)
        every = self.tallies.get((EVERYTHING, arm), _NONE)
        rough = self.tallies.get((_level(task), arm), _NONE)
        fine = self.tallies.get((task, arm), _NONE)
        over_all = (every.quality + worth * supposed) / (every.weight + worth)
        coarsely = (rough.quality + _LEANS_ON_ALL * over_all) / (rough.weight + _LEANS_ON_ALL)
        return over_all, coarsely, (fine.quality + _LEANS_ON_COARSE * coarsely) / (fine.weight + _LEANS_ON_COARSE)

    def gain(self, task: str, arm: Arm, instead_of: Arm) -> float:
        """By how much more of a class `arm` does, as far as results tell classes apart.

        Where it is not beyond chance of what its coarse class gains, of which there are many results, it is that, and
        likewise above it: which of two classes gains more is not told by luck. With few results luck is all there is.
        """
        above, found = EVERYTHING, self._gain_at(EVERYTHING, task, arm, instead_of)[0]
        for level in (_level(task), task):
            here, error = self._gain_at(level, task, arm, instead_of)
            many = min(self.results(above, one) for one in (arm, instead_of)) >= _MANY_RESULTS
            if not many or abs(here - found) > _BEYOND_CHANCE * error:
                above, found = level, here
        return found

    def _gain_at(self, level: str, task: str, arm: Arm, instead_of: Arm) -> tuple[float, float]:
        """The gain at a level, leaning on those above it, and the standard error of its own results."""
        gain = square = 0.0
        for one, sign in ((arm, 1), (instead_of, -1)):
            rates = self._rates(task, one)
            rate = rates[(EVERYTHING, _level(task), task).index(level)]
            gain += sign * rate
            square += rate * (1 - rate) / max(1.0, self.tallies.get((level, one), _NONE).weight)
        return gain, sqrt(square)

    def results(self, task: str, arm: Arm) -> float:
        """How many results of an arm stand behind a class, by their weights."""
        return self.tallies.get((task, arm), _NONE).weight

    def cost(self, task: str, arm: Arm) -> Money | None:
        """What a task of the class is expected to cost, in pico-dollars; None where the arm's costs are unknown.

        The mean of a log-normal: exp(μ + σ²/2), μ and σ² leaning on those of the coarser levels.
        """
        mean = square = None
        for level, leans in ((EVERYTHING, 0.0), (_level(task), _LEANS_ON_ALL), (task, _LEANS_ON_COARSE)):
            tally = self.tallies.get((level, arm), _NONE)
            if not tally.costs:
                continue
            leaning = leans if mean is not None else 0.0
            mean = (tally.log_cost + leaning * (mean or 0.0)) / (tally.costs + leaning)
            square = (tally.log_cost_squared + leaning * (square or 0.0)) / (tally.costs + leaning)
        if mean is None or square is None:
            return None
        return round(exp(mean + min(_WIDEST, max(0.0, square - mean * mean)) / 2))

    def belief(self, task: str, arm: Arm, quality: float | None = None) -> Belief:
        """What is believed of an arm in a class; `quality` where more is known of the very task.

        The lower end is that of Wilson's interval at 90 %, one-sided, with what the class leans on counted as results.
        """
        if quality is not None:
            return self._formed(task, arm, quality)
        added = self.added  # results are added by another thread
        at, held = self._held.get((task, arm), (-1, None))
        if held is None or at != added:
            held = self._formed(task, arm, self.rate(task, arm))
            if len(self._held) >= _MOST_HELD:
                self._held.clear()
            self._held[task, arm] = added, held
        return held

    @property
    def kept_beliefs(self) -> int:
        """How many beliefs are kept."""
        return len(self._held)

    def _formed(self, task: str, arm: Arm, rate: float) -> Belief:
        results = self.results(task, arm)
        return Belief(
            quality=rate,
            quality_low=_wilson_low(rate, results + _LEANS_ON_COARSE),
            cost=self.cost(task, arm),
            results=results,
        )

    def rows(self) -> Iterator[tuple[str, Arm, tuple[float, ...]]]:
        """Every tally with its level and arm, as `load` takes it."""
        for (level, arm), tally in self.tallies.items():
            yield level, arm, astuple(tally)

    def load(self, level: str, arm: Arm, sums: tuple[float, ...]) -> None:
        """Put a tally back as `rows` gave it."""
        self.tallies[(level, arm)] = Tally(*sums)
        self.added += 1


def _level(task: str) -> str:
    """The key of a coarse class, which is never that of a fine one."""
    return f"{coarse(task)}/*"


def _wilson_low(rate: float, results: float) -> float:
    square = _NINETY_PERCENT**2
    centre = rate + square / (2 * results)
    width = _NINETY_PERCENT * sqrt(rate * (1 - rate) / results + square / (4 * results * results))
    return max(0.0, (centre - width) / (1 + square / results))

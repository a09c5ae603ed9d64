"""What a task's own features add to its class: a linear model of hashed features, learned online.

Its output is how much easier the task is than its class. It is added to the log-odds of the class's rate, for every arm
the same, as in item response theory: so each arm's results teach of all, the arms' own rates keep them apart, and a
task neither too easy nor too hard gains most by a better arm. It begins as nothing at all.

It is learned by FTRL-Proximal (McMahan et al., "Ad click prediction: a view from the trenches", 2013): a step of its
own for each feature, and weights held near zero. Steps of the shape have a weight for all classes and one for the
task's own; words have one for all, and together count the same however many they are.
"""

from __future__ import annotations

import base64
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, log, sqrt
from typing import Final

from underspend.routing.beliefs import Arm
from underspend.routing.features import SPACE
from underspend.routing.forest import Forest

_RATE = 0.05
_HOLD = 23.0  # 1/rate plus the strength of the hold towards zero, 3
_SHAPE = 0.1
_WORDS = 1.0
_MIX = 40_503
_HALF = SPACE // 2 - 1
_STEEPEST = 30.0
_LEAST_CHANCE = 0.002


def chance(odds: float) -> float:
    """The chance that log-odds mean, never quite 0 or 1."""
    return 1.0 / (1.0 + exp(-max(-_STEEPEST, min(_STEEPEST, odds))))


def log_odds(rate: float) -> float:
    """The log-odds of a rate, which is taken to be at least 0.2 % and at most 99.8 %."""
    rate = max(_LEAST_CHANCE, min(1.0 - _LEAST_CHANCE, rate))
    return log(rate / (1.0 - rate))


@dataclass(frozen=True, slots=True)
class Active:
    """The weights a task goes by: those of its shape, those of its words, and how much each word counts."""

    shape: tuple[int, ...]
    words: tuple[int, ...]
    each_word: float


def active(features: Sequence[int], task: str) -> Active:
    """The weights of a task with these features. Raises IndexError when learned with a feature beyond `SPACE`."""
    own = zlib.crc32(task.encode())
    steps = [one for one in features if not one & 1]
    words = tuple([one for one in features if one & 1])
    local = [((one * _MIX ^ own) & _HALF) << 1 for one in steps]
    return Active((*steps, *local, (own & _HALF) << 1), words, _WORDS / sqrt(len(words)) if words else 0.0)


def _zeros() -> array[float]:
    return array("f", bytes(4 * SPACE))


@dataclass(slots=True)
class Residual:
    """The model: for each feature the sum of its gradients, of their squares, and the weight they make.

    `forest` is another one of the same lessons (see `routing.forest`), which has the more say the more there are.
    """

    gradients: array[float] = field(default_factory=_zeros)
    squares: array[float] = field(default_factory=_zeros)
    weights: array[float] = field(default_factory=_zeros)
    forest: Forest = field(default_factory=Forest)

    def adds(self, task: Active) -> float:
        """What the features add to the log-odds of the class."""
        weights = self.weights
        shape = sum([weights[one] for one in task.shape])
        return _SHAPE * shape + task.each_word * sum([weights[one] for one in task.words])

    def learn(self, task: Active, offset: float, quality: float, weight: float = 1.0) -> None:
        """Move towards an outcome, given the log-odds of the class."""
        slope = (chance(offset + self.adds(task)) - quality) * weight
        self._step(task.shape, slope * _SHAPE)
        self._step(task.words, slope * task.each_word)

    def _step(self, ids: Sequence[int], gradient: float) -> None:
        if not gradient:
            return
        gradients, squares, weights = self.gradients, self.squares, self.weights
        square = gradient * gradient
        for one in ids:
            before = squares[one]
            after = before + square
            root = sqrt(after)
            total = gradients[one] + gradient - (root - sqrt(before)) / _RATE * weights[one]
            gradients[one] = total
            squares[one] = after
            weights[one] = -total / (root / _RATE + _HOLD)

    def dump(self) -> str:
        """The linear model as text: the features that were ever met, packed."""
        met = array("I", [place for place, square in enumerate(self.squares) if square])
        parts = [met.tobytes()]
        for values in (self.gradients, self.squares, self.weights):
            packed: array[float] = array("f", [values[one] for one in met])
            parts.append(packed.tobytes())
        return base64.b85encode(zlib.compress(b"".join(parts))).decode("ascii")

    @classmethod
    def load(cls, text: str) -> Residual:
        """The model that `dump` wrote. Raises ValueError where it is not one."""
        try:
            raw = zlib.decompress(base64.b85decode(text))
        except zlib.error as error:
            raise ValueError("not a residual") from error
        size = len(raw) // 4
        met = array("I", raw[:size])
        model = cls()
        for place, values in enumerate((model.gradients, model.squares, model.weights), start=1):
            for one, value in zip(met, array("f", raw[place * size : (place + 1) * size]), strict=True):
                values[one] = value
        return model


@dataclass(frozen=True, slots=True)
class Lesson:
    """A result to learn from again."""

    task: str
    features: array[int]
    arm: Arm
    quality: float
    weight: float


_KEPT: Final = 0.999
_NEEDED = 20
_MARGIN = 0.0


@dataclass(slots=True)
class Contest:
    """Whether one way to foretell beats a plainer one, by what each said of results before it learned from them.

    `lead` is by how much it is ahead, in nats of log-loss; older results count a little less than newer ones.
    """

    lead: float = 0.0
    results: int = 0

    def see(self, by_class: float, by_residual: float, quality: float, weight: float = 1.0) -> None:
        """Take what both foretold of a result."""
        self.lead = self.lead * _KEPT + weight * (_loss(by_class, quality) - _loss(by_residual, quality))
        self.results += 1

    def compare(self, plain: float, ours: float, quality: float, weight: float = 1.0) -> None:
        """As `see`, by squared errors: for differences between arms, which are small beside what all tasks share."""
        self.lead = self.lead * _KEPT + weight * ((plain - quality) ** 2 - (ours - quality) ** 2)
        self.results += 1

    @property
    def won(self) -> bool:
        """Whether it may be used."""
        return self.results >= _NEEDED and self.lead > _MARGIN


def _loss(foretold: float, quality: float) -> float:
    foretold = max(_LEAST_CHANCE, min(1.0 - _LEAST_CHANCE, foretold))
    return -(quality * log(foretold) + (1.0 - quality) * log(1.0 - foretold))

"""What is known of arms and classes of tasks, learned from the user's own outcomes and from nothing else.

Results drawn by chance calibrate certificates and teach nothing, so that a certificate's scores are never learned from
the results it stands on; all others teach. Equal results in equal order give equal knowledge, in every process, and a
copy made from its rows goes on as the original does.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from underspend.core.money import Money
from underspend.routing import rows as kept
from underspend.routing.beliefs import Arm, Belief, Certificate, Result, Standing
from underspend.routing.classes import OTHER, coarse
from underspend.routing.residual import Contest, Lesson, Residual, active, chance, log_odds
from underspend.routing.standing import Apart, Point, Promise, Record, certificate, did
from underspend.routing.statistics import Statistics

MOST_CLASSES: Final = 256
MOST_ARMS: Final = 32
MOST_LESSONS: Final = 8_192
MOST_RECORDS: Final = 64
"""What is kept: classes of their own, arms learned of, results to learn from again, and pairs of arms in a class that
results were drawn for. A class beyond is counted under its coarse one; the arm longest not learned of is forgotten."""

_AGAIN = 3
_MULTIPLIER, _INCREMENT, _MODULUS = 6_364_136_223_846_793_005, 1_442_695_040_888_963_407, 1 << 64
_HIGH_BITS = 33

Pair = tuple[str, Arm, Arm]


@dataclass(slots=True)
class Knowledge:
    """See the module. `promise` is what certificates have to keep, the same for all classes."""

    promise: Promise = field(default_factory=Promise)
    statistics: Statistics = field(default_factory=Statistics)
    residual: Residual = field(default_factory=Residual)
    arms: dict[Arm, None] = field(default_factory=dict)
    contests: dict[str, Contest] = field(default_factory=dict)
    lessons: deque[Lesson] = field(default_factory=lambda: deque(maxlen=MOST_LESSONS))
    records: dict[Pair, Record] = field(default_factory=dict)
    apart: dict[tuple[str, Arm], Apart] = field(default_factory=dict)
    state: int = 0
    taught: int = 0

    def belief(self, task: str, features: tuple[int, ...], arm: Arm) -> Belief:
        """What is believed of an arm for a task: by its class, and by its features where they are of use there."""
        task = self._known(task)
        return self.statistics.belief(task, arm, self._quality(task, features, arm))

    def score(self, task: str, features: tuple[int, ...], arm: Arm, instead_of: Arm) -> float:
        """By how much more of such tasks `arm` does than `instead_of`, from −1 to 1."""
        task = self._known(task)
        return self._quality(task, features, arm) - self._quality(task, features, instead_of)

    def certificate(self, task: str, features: tuple[int, ...], arm: Arm, instead_of: Arm) -> Certificate:
        """How it stands with routing this very task: a certified class does not cover tasks below its threshold."""
        paper = self._paper(self._known(task), arm, instead_of)
        if paper.standing is not Standing.CERTIFIED:
            return paper
        score = self.score(task, features, arm, instead_of)
        if score >= paper.threshold:
            return paper
        why = f"the class is certified from a score of {paper.threshold:.2f}, and this task has {score:.2f}"
        return replace(paper, standing=Standing.COLLECTING, why=why)

    def certificates(self) -> Iterator[Certificate]:
        """Those of all classes and arms that results were drawn for, in order of class."""
        for task, arm, instead_of in sorted(self.records, key=lambda pair: (pair[0], pair[1].model, pair[2].model)):
            yield self._paper(task, arm, instead_of)

    def learn(self, result: Result) -> None:
        """Take one result. One of an arm put to a task by chance calibrates; any other teaches of all arms in it."""
        task = self._known(result.task, new=True)
        if result.randomised:
            self._calibrate(task, result)
            return
        found = array("I", result.features)
        self._teach(Lesson(task, found, result.arm, result.quality, result.weight), result.cost)
        if result.paired is not None and result.instead_of is not None:
            self._teach(Lesson(task, found, result.instead_of, result.paired, result.weight), 0)

    def rows(self) -> Iterator[kept.Row]:
        """All of it as rows of text, as `from_rows` takes them; a row is what changes together."""
        yield from kept.write(self)

    @classmethod
    def from_rows(cls, rows: Iterable[kept.Row], promise: Promise | None = None) -> Knowledge:
        """The knowledge that was written. Rows it does not understand are left out, so that old ones never fail."""
        knowledge = cls(promise=promise or Promise())
        kept.read_into(knowledge, rows)
        return knowledge

    def _paper(self, task: str, arm: Arm, instead_of: Arm) -> Certificate:
        record = self.records.get((task, arm, instead_of)) or Record()
        sides = (self.apart.get((task, arm)) or Apart(), self.apart.get((task, instead_of)) or Apart())
        return certificate(task, (arm, instead_of), record, self.promise, sides)

    def _known(self, task: str, *, new: bool = False) -> str:
        """The class a task is counted under: its own while there is room, then its coarse one, then `other`."""
        if task in self.contests:
            return task
        if len(self.contests) < MOST_CLASSES - 1 or task == OTHER:
            if new:
                self.contests[task] = Contest()
            return task
        return next((name for name in (coarse(task), OTHER) if name in self.contests), OTHER)

    def _quality(self, task: str, features: tuple[int, ...], arm: Arm) -> float:
        rate = self.statistics.rate(task, arm)
        contest = self.contests.get(task)
        if contest is None or not contest.won:
            return rate
        return chance(log_odds(rate) + self.residual.adds(active(features, task)))

    def _teach(self, lesson: Lesson, cost: Money) -> None:
        task, arm, quality, weight = lesson.task, lesson.arm, lesson.quality, lesson.weight
        self._welcome(arm)
        if lesson.features:
            rate = self.statistics.rate(task, arm)
            weights, offset = active(lesson.features, task), log_odds(rate)
            contest = self.contests.setdefault(task, Contest())
            contest.see(rate, chance(offset + self.residual.adds(weights)), quality, weight)
            self.residual.learn(weights, offset, quality, weight)
        self.statistics.add(task, arm, quality, cost, weight)
        if lesson.features:
            self.lessons.append(lesson)
            self.taught += 1
            self._learn_again()

    def _learn_again(self) -> None:
        """Go over a few earlier results: online steps on each result once would need many more of them."""
        for _ in range(_AGAIN):
            self.state = (self.state * _MULTIPLIER + _INCREMENT) % _MODULUS
            lesson = self.lessons[(self.state >> _HIGH_BITS) % len(self.lessons)]
            offset = log_odds(self.statistics.rate(lesson.task, lesson.arm))
            weights = active(lesson.features, lesson.task)
            self.residual.learn(weights, offset, lesson.quality, lesson.weight)

    def _welcome(self, arm: Arm) -> None:
        """Note that an arm is learned of; the one longest not learned of makes room."""
        self.arms.pop(arm, None)
        self.arms[arm] = None
        if len(self.arms) > MOST_ARMS:
            oldest = next(iter(self.arms))
            del self.arms[oldest]
            self.statistics.forget(oldest)
            self.lessons = deque((one for one in self.lessons if one.arm != oldest), maxlen=MOST_LESSONS)

    def _calibrate(self, task: str, result: Result) -> None:
        if result.paired is None or result.instead_of is None:
            self.apart.setdefault((task, result.arm), Apart()).add(done=did(result.quality), at=result.at)
            return
        arms = (result.arm, result.instead_of)
        if (task, *arms) not in self.records and len(self.records) >= MOST_RECORDS:
            return
        record = self.records.setdefault((task, *arms), Record())
        point = Point(result.features, result.at, did(result.quality), did(result.paired))
        record.watch(point, self.score(task, result.features, *arms))
        record.points.append(point)
        if record.is_due():
            record.certify([self.score(task, one.features, *arms) for one in record.points], self.promise)

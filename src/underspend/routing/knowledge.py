"""What is known of arms and classes of tasks, learned from the user's own outcomes and from nothing else.

Results drawn by chance calibrate certificates and teach nothing, so that a certificate's scores are never learned from
the results it stands on; all others teach. Equal results in equal order give equal knowledge, in every process, and a
copy made from its rows goes on as the original does.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from statistics import fmean as mean
from typing import Final, NamedTuple

from underspend.core.money import Money
from underspend.routing import rows as kept
from underspend.routing.beliefs import Arm, Belief, Certificate, Result, Standing
from underspend.routing.classes import OTHER, coarse
from underspend.routing.forest import Forest
from underspend.routing.residual import Contest, Lesson, Residual, active, chance, log_odds
from underspend.routing.standing import Apart, Point, Promise, Record, certificate, did
from underspend.routing.statistics import EVERYTHING, Statistics

MOST_CLASSES: Final = 256
MOST_ARMS: Final = 32
MOST_LESSONS: Final = 8_192
MOST_RECORDS: Final = 64
"""What is kept: classes of their own, arms learned of, results to learn from again, and pairs of arms in a class that
results were drawn for. A class beyond is counted under its coarse one; the arm longest not learned of is forgotten."""

_AGAIN = 3
_HALF_TRUSTED_AT = 100.0
_MOST_TRUST = 0.7
_PATIENCE = 240
_ENOUGH_TO_ORDER = 100.0
_HELD = 0.25
_DOLLARS_COUNT = 0.25
_APART: Final = "*"  # no class: the contest of what tells arms apart against nothing at all
_MULTIPLIER, _INCREMENT, _MODULUS = 6_364_136_223_846_793_005, 1_442_695_040_888_963_407, 1 << 64
_HIGH_BITS = 33

Pair = tuple[str, Arm, Arm]


class Shown(NamedTuple):
    """What both models make of the features of a task, kept while they are asked for again and nothing was learned."""

    task: str
    features: Sequence[int]
    taught: int
    adds: float
    grown: dict[Arm, float]


def _turn(pair: Pair) -> tuple[str, str, str, str]:
    return pair[0], pair[1].model, pair[2].model, repr(pair)


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
    shown: Shown | None = field(default=None, compare=False, repr=False)

    def belief(self, task: str, features: tuple[int, ...], arm: Arm) -> Belief:
        """What is believed of an arm for a task: by its class, and by its features where they are of use there."""
        task = self._known(task)
        contest = self.contests.get(task)
        if contest is None or not contest.won:
            return self.statistics.belief(task, arm)
        return self.statistics.belief(task, arm, self._qualities(task, features, (arm,))[0])

    def score(self, task: str, features: tuple[int, ...], arm: Arm, instead_of: Arm) -> float:
        """By how much more of such tasks `arm` does than `instead_of`, from −1 to 1.

        It is 0 for all tasks where the results so far do not show that a task's class or features tell by how much one
        arm is better: a difference between tasks that is only luck is no reason to choose.
        """
        return self._gain(self._known(task), features, arm, instead_of) if self._tells_arms_apart() else 0.0

    def worth(self, task: str, features: tuple[int, ...], arm: Arm, instead_of: Arm) -> float:
        """In which order tasks are best given to `arm`: the score of those that pay for it; below 0, those that do not.

        A task pays whose score is at least what it costs more, where a dollar counts as a quarter of what it gains on
        the average task. Those that do not pay are ordered by what is missing. It is the score where costs are unknown.
        """
        score = self.score(task, features, arm, instead_of)
        gain = self.statistics.rate(EVERYTHING, arm) - self.statistics.rate(EVERYTHING, instead_of)
        more, more_on_average = self._costs_more(task, arm, instead_of), self._costs_more(EVERYTHING, arm, instead_of)
        if more is None or not more_on_average or gain <= 0 or not self._tells_arms_apart():
            return score
        short = score - _DOLLARS_COUNT * gain * more / more_on_average
        return score if short >= 0 else short

    def certificate(self, task: str, features: tuple[int, ...], arm: Arm, instead_of: Arm) -> Certificate:
        """How it stands with routing this very task: a certified class does not cover tasks below its threshold."""
        paper = self._paper(self._known(task), arm, instead_of)
        if paper.standing is not Standing.CERTIFIED:
            return paper
        score = self._gain(self._known(task), features, arm, instead_of)
        if score >= paper.threshold:
            return paper
        why = f"the class is certified from a score of {paper.threshold:.2f}, and this task has {score:.2f}"
        return replace(paper, standing=Standing.COLLECTING, why=why)

    def certificates(self) -> Iterator[Certificate]:
        """Those of all classes and pairs of arms that results were drawn for, in order of class.

        Arms that were put to different tasks make pairs too, both ways round.
        """
        arms: dict[str, list[Arm]] = {}
        for task, arm in self.apart:
            arms.setdefault(task, []).append(arm)
        pairs = {*self.records, *((task, *pair) for task, known in arms.items() for pair in permutations(known, 2))}
        for task, arm, instead_of in sorted(pairs, key=_turn):
            yield self._paper(task, arm, instead_of)

    def learn(self, result: Result) -> None:
        """Take one result. One of an arm put to a task by chance calibrates; any other teaches of all arms in it."""
        task = self._known(result.task, new=True)
        self._watch(task, result)
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
        if len(self.contests) < MOST_CLASSES - 2 or task == OTHER:
            if new:
                self.contests[task] = Contest()
            return task
        return next((name for name in (coarse(task), OTHER) if name in self.contests), OTHER)

    def _gain(self, task: str, features: tuple[int, ...], arm: Arm, instead_of: Arm) -> float:
        """The score without a look at the evidence for it, so that certificates never change their measure."""
        arms = (arm, instead_of)
        contest = self.contests.get(task)
        won = contest is not None and contest.won
        if not won and min(self.statistics.results(task, one) for one in arms) < _ENOUGH_TO_ORDER:
            return self.statistics.gain(task, arm, instead_of)
        rates = [self.statistics.rate(task, one) for one in arms]
        ours, theirs = self._by_features(task, features, arms, rates, linear=won)
        return ours - theirs

    def _qualities(self, task: str, features: tuple[int, ...], arms: tuple[Arm, ...]) -> list[float]:
        """What each arm may make of a task: by its class alone where its features have not proved to be of use."""
        rates = [self.statistics.rate(task, arm) for arm in arms]
        contest = self.contests.get(task)
        if contest is None or not contest.won:
            return rates
        return self._by_features(task, features, arms, rates)

    def _by_features(
        self, task: str, features: Sequence[int], arms: Sequence[Arm], rates: list[float], *, linear: bool = True
    ) -> list[float]:
        """By both models of the features: the forest has the more say the more results an arm has in the class."""
        shown = self._show(task, features)
        adds = shown.adds if linear else 0.0
        found = []
        for arm, rate in zip(arms, rates, strict=True):
            quality = chance(log_odds(rate) + adds)
            results = self.statistics.results(task, arm)
            trust = min(_MOST_TRUST, results**2 / (results**2 + _HALF_TRUSTED_AT**2))
            found.append(quality + trust * (shown.grown.get(arm, quality) - quality))
        return found

    def _show(self, task: str, features: Sequence[int]) -> Shown:
        last = self.shown
        if last is None or last.features is not features or last.task != task or last.taught != self.taught:
            adds = self.residual.adds(active(features, task))
            grown = self.residual.forest.qualities(features, task)
            last = self.shown = Shown(task, features, self.taught, adds, grown)
        return last

    def _tells_arms_apart(self) -> bool:
        """Whether a task's class and features may tell by how much one arm is better; open until there is evidence."""
        contest = self.contests.get(_APART)
        return contest is None or contest.results < _PATIENCE or contest.lead > 0

    def _costs_more(self, task: str, arm: Arm, instead_of: Arm) -> float | None:
        ours, theirs = self.statistics.cost(task, arm), self.statistics.cost(task, instead_of)
        return None if ours is None or theirs is None else max(0, ours - theirs)

    def _teach(self, lesson: Lesson, cost: Money) -> None:
        task, arm, quality, weight = lesson.task, lesson.arm, lesson.quality, lesson.weight
        self._welcome(arm)
        if lesson.features:
            self._try(lesson)
            self.residual.learn(
                active(lesson.features, task), log_odds(self.statistics.rate(task, arm)), quality, weight
            )
        self.statistics.add(task, arm, quality, cost, weight)
        if lesson.features:
            self.lessons.append(lesson)
            self.taught += 1
            self._learn_again()
            if self.residual.forest.is_due(self.taught):
                self.residual.forest = Forest.grown(self.lessons, self.taught)

    def _try(self, lesson: Lesson) -> None:
        """Hold what was foretold of a result against it, before anything is learned from it."""
        task, statistics = lesson.task, self.statistics
        arms = [lesson.arm, *(arm for arm in self.arms if arm != lesson.arm and statistics.results(task, arm) > 0)]
        rates = [statistics.rate(task, arm) for arm in arms]
        found = self._by_features(task, lesson.features, arms, rates)
        contest = self.contests.setdefault(task, Contest())
        told = found if contest.won else rates
        contest.see(rates[0], found[0], lesson.quality, lesson.weight)
        if len(arms) > 1:
            # The same task on average, but with the arms as far from each other as they are on all tasks. Against it
            # only a quarter of the difference is held: an order may be right where its differences are too large.
            everywhere = [statistics.rate(EVERYTHING, arm) for arm in arms]
            alike = mean(told) + everywhere[0] - mean(everywhere)
            apart = alike + _HELD * (told[0] - alike)
            self.contests.setdefault(_APART, Contest()).compare(alike, apart, lesson.quality, lesson.weight)

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

    def _watch(self, task: str, result: Result) -> None:
        """Show every result of a certified arm to its watch; an alarm takes the certificate and its grounds."""
        apart = self.apart.get((task, result.arm))
        if apart is not None and apart.is_broken_by(done=did(result.quality)):
            self.apart[task, result.arm] = Apart(revoked=True)

    def _guard(self, task: str, arm: Arm) -> None:
        """Begin to watch an arm that results of different tasks have certified."""
        apart = self.apart[task, arm]
        others = (other for name, other in self.apart if name == task and other != arm)
        if apart.monitor is None and any(
            self._paper(task, arm, other).standing is Standing.CERTIFIED for other in others
        ):
            apart.guard(self.promise)

    def _calibrate(self, task: str, result: Result) -> None:
        if result.paired is None or result.instead_of is None:
            self.apart.setdefault((task, result.arm), Apart()).add(done=did(result.quality), at=result.at)
            self._guard(task, result.arm)
            return
        arms = (result.arm, result.instead_of)
        if (task, *arms) not in self.records and len(self.records) >= MOST_RECORDS:
            return
        record = self.records.setdefault((task, *arms), Record())
        point = Point(result.features, result.at, did(result.quality), did(result.paired))
        record.watch(point, self._gain(task, result.features, *arms))
        record.points.append(point)
        if record.is_due():
            record.certify([self._gain(task, one.features, *arms) for one in record.points], self.promise)

"""How far each class is from a guarantee: the results drawn by chance, the certificate they give, and its watch."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from underspend.routing.beliefs import Arm, Certificate, Standing
from underspend.routing.certificate import Promised, Tested, drop_bound, learn_then_test, results_needed, upper_bound
from underspend.routing.monitor import MOST_RATE, Monitor

MOST_POINTS: Final = 2_500
"""So many of the latest results of a class stand behind a certificate."""

_DAY = 86_400_000_000
_DONE = 0.5
_REVOKED = "more tasks were done worse than promised"
_FIRST_LOOK = 20
_LOOKS_APART = 10  # a look when the results are a tenth more


@dataclass(frozen=True, slots=True)
class Promise:
    """What a certificate has to keep: at most `epsilon` of the tasks done worse, with confidence 1 − `delta`.

    It is for the long run and for the next `to_come` tasks. `horizon_days` is how long a user is ready to wait for it,
    `alpha` how often its watch may raise a false alarm.
    """

    epsilon: float = 0.02
    delta: float = 0.1
    horizon_days: float = 90.0
    alpha: float = 0.05
    to_come: int = 800

    @property
    def promised(self) -> Promised:
        """What a certificate's test needs of it."""
        return Promised(self.epsilon, self.delta, self.to_come)


@dataclass(frozen=True, slots=True)
class Point:
    """A task that was drawn by chance: its features, when, and whether each arm did it."""

    features: tuple[int, ...]
    at: int
    done: bool
    done_instead: bool

    @property
    def regret(self) -> bool:
        """Whether it was done worse: this arm failed it and the other did not."""
        return self.done_instead and not self.done


def did(quality: float) -> bool:
    """Whether a quality counts as done."""
    return quality >= _DONE


@dataclass(slots=True)
class Apart:
    """Results of one arm on tasks it was put to by chance, where the other arm did not do the same task."""

    done: int = 0
    results: int = 0
    first: int = 0
    last: int = 0
    revoked: bool = False
    monitor: Monitor | None = None

    def guard(self, promise: Promise) -> None:
        """Begin to watch the arm: it is certified at a rate of failures that is not to be exceeded from now on."""
        rate = upper_bound(self.results - self.done, self.results, promise.delta)
        if self.monitor is None and rate < MOST_RATE:
            self.monitor = Monitor(rate, promise.alpha)

    def is_broken_by(self, *, done: bool) -> bool:
        """Show the watch one more result of the arm; whether it has come to an alarm."""
        return self.monitor is not None and self.monitor.see(float(not done))

    def add(self, *, done: bool, at: int) -> None:
        """Count one."""
        self.first = min(self.first, at) if self.results else at
        self.last = max(self.last, at)
        self.done += done
        self.results += 1


@dataclass(slots=True)
class Record:
    """Everything drawn by chance for one class and two arms, the last test of it, and the watch since."""

    points: deque[Point] = field(default_factory=lambda: deque(maxlen=MOST_POINTS))
    tested: Tested | None = None
    tested_at: int = 0
    monitor: Monitor | None = None
    revoked: bool = False

    def is_due(self) -> bool:
        """Whether there is enough more than at the last test to test again."""
        return len(self.points) >= max(_FIRST_LOOK, self.tested_at + max(1, self.tested_at // _LOOKS_APART))

    def certify(self, scores: list[float], promise: Promise) -> None:
        """Test the points, given their scores as they are now; a first pass starts the watch."""
        regrets = [point.regret for point in self.points]
        self.tested = learn_then_test(zip(scores, regrets, strict=True), promise.promised)
        self.tested_at = len(self.points) if len(self.points) < MOST_POINTS else 0
        if self.tested.threshold is None:
            self.monitor = None
        else:
            self.revoked = False
            self.monitor = self.monitor or Monitor(promise.epsilon, promise.alpha)

    def watch(self, point: Point, score: float) -> None:
        """Show the watch a new result, before it joins the others; an alarm takes the certificate and its grounds."""
        if self.monitor is None or self.tested is None or self.tested.threshold is None:
            return
        if self.monitor.see(float(point.regret and score >= self.tested.threshold)):
            self.points.clear()
            self.tested, self.tested_at, self.monitor, self.revoked = None, 0, None, True


def certificate(
    task: str, arms: tuple[Arm, Arm], record: Record, promise: Promise, apart: tuple[Apart, Apart]
) -> Certificate:
    """How it stands with a class: by tasks that both arms did, or where there are none by those that either did."""
    if not record.points and not record.revoked and (apart[0].results or apart[0].revoked) and apart[1].results:
        return _apart(task, arms, promise, apart) if apart[0].results else _revoked(task, arms, promise)
    results, regrets = len(record.points), sum([point.regret for point in record.points])
    tested = record.tested
    if tested is not None and tested.threshold is not None:
        why = f"{tested.share:.0%} of the tasks can be routed: {tested.regrets} of {results} were done worse"
        standing, needed, threshold = Standing.CERTIFIED, 0, tested.threshold
        regrets, bound = tested.regrets, tested.bound
    else:
        # What is missing is told for the safest tasks: as if none of them had been done worse.
        needed = results_needed(0, results, promise.promised)
        bound, threshold = upper_bound(0, results, promise.delta) if results else 1.0, 1.0
        times = [point.at for point in record.points]
        standing, why = _waiting(needed, results, max(times, default=0) - min(times, default=0), promise)
        if record.revoked and standing is not Standing.CERTIFIED:
            standing, why = Standing.REVOKED, f"{_REVOKED}; {why}"
    return Certificate(
        task=task,
        arm=arms[0],
        instead_of=arms[1],
        standing=standing,
        epsilon=promise.epsilon,
        delta=promise.delta,
        results=results,
        regrets=regrets,
        bound=bound,
        threshold=threshold,
        needed=None if standing is Standing.NOT_CERTIFIABLE else needed,
        why=why,
    )


def _waiting(needed: int, results: int, span: int, promise: Promise) -> tuple[Standing, str]:
    if needed == 0:
        return Standing.COLLECTING, f"{results} results, but even the safest tasks were done worse too often"
    days = span / _DAY
    if results > 1 and days > 0 and needed > results / days * promise.horizon_days:
        return (
            Standing.NOT_CERTIFIABLE,
            f"at {results / days:.2g} results a day it would take {needed} more: over {promise.horizon_days:g} days",
        )
    return Standing.COLLECTING, f"{results} results so far; {needed} more are needed, none of them done worse"


def _revoked(task: str, arms: tuple[Arm, Arm], promise: Promise) -> Certificate:
    """Of an arm that has no result since its certificate was revoked."""
    return Certificate(
        task=task,
        arm=arms[0],
        instead_of=arms[1],
        standing=Standing.REVOKED,
        epsilon=promise.epsilon,
        delta=promise.delta,
        results=0,
        regrets=0,
        bound=1.0,
        threshold=1.0,
        needed=results_needed(0, 0, promise.promised),
        why=_REVOKED,
    )


def _apart(task: str, arms: tuple[Arm, Arm], promise: Promise, apart: tuple[Apart, Apart]) -> Certificate:
    """By results of different tasks: nobody saw a regret, so the drop of the share done stands for it."""
    ours, theirs = apart
    bound = drop_bound((ours.done, ours.results), (theirs.done, theirs.results), promise.delta)
    results = min(ours.results, theirs.results)
    # An interval's width goes with the root of the number, so it has to grow by the square of what is too much.
    drop = max(0.0, theirs.done / theirs.results - ours.done / ours.results)
    room = promise.epsilon - drop
    needed = (
        0 if bound <= promise.epsilon else round(results * (((bound - drop) / room) ** 2 - 1)) if room > 0 else None
    )
    if bound <= promise.epsilon:
        standing, why = Standing.CERTIFIED, f"at most {bound:.1%} fewer are done, by tasks of either arm"
    elif needed is None:
        standing, why = Standing.NOT_CERTIFIABLE, f"{drop:.1%} fewer were done, which is more than promised"
    else:
        span = max(ours.last, theirs.last) - min(ours.first, theirs.first)
        standing, why = _waiting(max(1, needed), results, span, promise)
    if ours.revoked and standing is not Standing.CERTIFIED:
        standing, why = Standing.REVOKED, f"{_REVOKED}; {why}"
    return Certificate(
        task=task,
        arm=arms[0],
        instead_of=arms[1],
        standing=standing,
        epsilon=promise.epsilon,
        delta=promise.delta,
        results=results,
        regrets=max(0, ours.results - ours.done),
        bound=bound,
        threshold=-1.0 if standing is Standing.CERTIFIED else 1.0,
        needed=None if standing is Standing.NOT_CERTIFIABLE else needed,
        why=why,
    )

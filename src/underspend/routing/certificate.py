"""Whether a class of tasks may be routed with a guarantee: Learn-then-Test with exact binomial bounds.

Angelopoulos et al., "Learn then Test" (2021): thresholds are tried in an order fixed beforehand, from the one that
routes nothing to the one that routes everything, each with a valid p-value at level δ, until the first fails. The
p-value is exact: the chance of so few regrets or fewer if their rate were ε (Clopper and Pearson, 1934). So with
probability 1 − δ over the results, the rate of tasks that are routed and done worse is at most ε. It holds at each
look, for results that are independent, alike, and not the ones the scores were learned from.

A user counts what happens to his own next tasks, so a threshold has to pass a second test as well: Fisher's exact one,
against more than ε of so many tasks to come being done worse.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, lgamma, log, log1p
from typing import Final, NamedTuple

_STEPS_EACH_SIDE = 100
THRESHOLDS: Final = tuple(step / _STEPS_EACH_SIDE for step in range(_STEPS_EACH_SIDE, -_STEPS_EACH_SIDE - 1, -1))
"""The sequence of thresholds, fixed for good: from 1 (no score is above it) to −1 (every score is at least that)."""

_HALVINGS = 60
_MOST_RESULTS = 1 << 24


class Promised(NamedTuple):
    """At most `epsilon` of the tasks done worse, with confidence 1 − `delta`; `to_come` are the tasks it is for too."""

    epsilon: float
    delta: float
    to_come: int = 800


def at_most(successes: int, trials: int, chance: float) -> float:
    """The chance of at most so many successes in so many trials of one chance each: the binomial sum itself."""
    if successes >= trials or chance <= 0:
        return 1.0
    if successes < 0 or chance >= 1:
        return 0.0
    yes, no, whole = log(chance), log1p(-chance), lgamma(trials + 1)
    return min(
        1.0,
        sum(
            [
                exp(whole - lgamma(hit + 1) - lgamma(trials - hit + 1) + hit * yes + (trials - hit) * no)
                for hit in range(successes + 1)
            ]
        ),
    )


def upper_bound(successes: int, trials: int, delta: float) -> float:
    """The upper end of Clopper and Pearson's one-sided interval: the chance is above it with probability ≤ `delta`."""
    if successes >= trials:
        return 1.0
    low, high = successes / trials, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(successes, trials, middle) > delta else (low, middle)
    return high


def lower_bound(successes: int, trials: int, delta: float) -> float:
    """The lower end of the same interval on the other side."""
    return 1.0 - upper_bound(trials - successes, trials, delta) if trials else 0.0


def at_most_here(successes: int, here: int, to_come: int, among: int) -> float:
    """The chance that of so many successes `among` all at most so many fell `here`, where chance put each (Fisher)."""
    least, most = max(0, among - to_come), min(successes, here, among)
    if successes >= min(here, among):
        return 1.0

    def ways(of: int, taken: int) -> float:
        return lgamma(of + 1) - lgamma(taken + 1) - lgamma(of - taken + 1)

    whole = ways(here + to_come, among)
    return min(1.0, sum([exp(ways(here, hit) + ways(to_come, among - hit) - whole) for hit in range(least, most + 1)]))


def is_ruled_out(regrets: int, results: int, promised: Promised) -> bool:
    """Whether so few regrets rule out that the promise is broken, in the long run and among the tasks to come."""
    epsilon, delta, to_come = promised
    if results <= 0 or at_most(regrets, results, epsilon) > delta:
        return False
    too_many = int(epsilon * to_come) + 1
    return too_many > to_come or at_most_here(regrets, results, to_come, regrets + too_many) <= delta


def most_regrets(results: int, promised: Promised) -> int:
    """With how many regrets of so many results the promise still stands; −1 where not even with none."""
    low, high = -1, max(0, results)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_ruled_out(middle, results, promised) else (low, middle)
    return low


def results_needed(regrets: int, results: int, promised: Promised) -> int:
    """How many more results without a regret it takes until the promise stands; 0 where it already does."""
    if is_ruled_out(regrets, results, promised):
        return 0
    more = 1
    while not is_ruled_out(regrets, results + more, promised):
        more *= 2
        if more > _MOST_RESULTS:
            return more
    low = more // 2
    while low + 1 < more:
        middle = (low + more) // 2
        low, more = (low, middle) if is_ruled_out(regrets, results + middle, promised) else (middle, more)
    return more


@dataclass(frozen=True, slots=True)
class Tested:
    """What the test of a sequence of thresholds gave.

    `threshold` is the least score that may be routed, None where not even routing the safest tasks passes. `share` is
    how many of the results it routes, `regrets` how many of them were done worse, `bound` the upper end of their rate.
    """

    threshold: float | None
    share: float
    regrets: int
    bound: float


def learn_then_test(points: Iterable[tuple[float, bool]], promised: Promised) -> Tested:
    """The lowest threshold that passes, of points with their score and whether they were done worse.

    A threshold that routes none of the points is no certificate: it says nothing of the tasks it would route.
    """
    ordered = sorted(points, key=lambda point: -point[0])
    delta = promised.delta
    allowed = most_regrets(len(ordered), promised)
    if allowed < 0:
        return Tested(None, 0.0, 0, upper_bound(0, len(ordered), delta) if ordered else 1.0)
    threshold, routed, regrets = _walk(ordered, allowed)
    if not routed:
        return Tested(None, 0.0, 0, upper_bound(0, len(ordered), delta))
    return Tested(threshold, routed / len(ordered), regrets, upper_bound(regrets, len(ordered), delta))


def _walk(ordered: Sequence[tuple[float, bool]], allowed: int) -> tuple[float, int, int]:
    """The last threshold with no more regrets than allowed, how many points it routes, and their regrets."""
    passed, routed, regrets, place = THRESHOLDS[0], 0, 0, 0
    seen = 0
    for threshold in THRESHOLDS:
        while place < len(ordered) and ordered[place][0] >= threshold:
            seen += ordered[place][1]
            place += 1
        if seen > allowed:
            break
        passed, routed, regrets = threshold, place, seen
    return passed, routed, regrets


def drop_bound(done: tuple[int, int], done_instead: tuple[int, int], delta: float) -> float:
    """How much worse one arm may be than another, both tried by chance on different tasks: an upper end at 1 − `delta`.

    Both are (successes, results). Each side takes half of `delta`, so the bound holds whatever they have in common.
    """
    if not done[1] or not done_instead[1]:
        return 1.0
    return max(0.0, upper_bound(*done_instead, delta / 2) - lower_bound(*done, delta / 2))

"""What else a task's shape says: a forest of random trees over its steps and its class, grown from the lessons.

Extremely randomised trees (Geurts, Ernst and Wehenkel, 2006): at each branch a few of the numbers of a shape are drawn,
for each of them one of its steps, and the best of these is taken. So a tree finds what only holds together (a long text
with few numbers), which a sum of weights cannot. A leaf holds each arm's quality there, leaning on the branches above.

Lessons are columns of bits, one column for each step, so that a branch is weighed by counting bits.
"""

from __future__ import annotations

import base64
import random
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

from underspend.routing.beliefs import Arm
from underspend.routing.features import LADDERS, SPACE

TREES: Final = 80
_DRAWN = 5
_LEAST = 12
_DEEPEST = 40
_LEANS_ON_ABOVE = 4.0
_FIRST = 20
_OFTEN, _SELDOM, _MANY = 20, 4, 1_000
_LEAF = -1
_UNIT = 8
_PLANES = _UNIT.bit_length()
_SCALES = {step: place for place, steps in enumerate(LADDERS) for step in steps}


class Taught(Protocol):
    """What the forest needs of a lesson."""

    @property
    def task(self) -> str:
        """Its class."""
        ...

    @property
    def features(self) -> Sequence[int]:
        """The features of the task."""
        ...

    @property
    def arm(self) -> Arm:
        """Which arm did it."""
        ...

    @property
    def quality(self) -> float:
        """How well, from 0 to 1."""
        ...

    @property
    def weight(self) -> float:
        """How much that may be trusted, from 0 to 1."""
        ...


def _own(task: str) -> int:
    """The column of a class, which is above all features."""
    return SPACE + zlib.crc32(task.encode()) % SPACE


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree in the order of its growth: where a branch's step is passed the next place follows, else `other`.

    `keys` are the steps, −1 at a leaf, whose `other` is where its arms' qualities begin in `values`.
    """

    keys: array[int]
    other: array[int]
    values: array[float]

    def leaf(self, shown: frozenset[int]) -> int:
        """Where the qualities of a task's leaf begin."""
        keys, other, place = self.keys, self.other, 0
        while (key := keys[place]) >= 0:
            place = place + 1 if key in shown else other[place]
        return other[place]

    def dump(self) -> str:
        """All of it as text."""
        raw = array("I", [len(self.keys)]).tobytes() + self.keys.tobytes() + self.other.tobytes()
        return base64.b85encode(zlib.compress(raw + self.values.tobytes())).decode("ascii")

    @classmethod
    def load(cls, text: str, arms: int) -> Tree:
        """The tree that `dump` wrote, of so many arms. Raises ValueError where it is not one that can be followed."""
        try:
            raw = zlib.decompress(base64.b85decode(text))
        except zlib.error as error:
            raise ValueError("not a tree") from error
        size = array("I", raw[:4])[0] if len(raw) >= 4 else 0  # noqa: PLR2004  # the bytes of one number
        parts = array("i", raw[4 : 4 + 8 * size])
        tree = cls(parts[:size], parts[size:], array("f", raw[4 + 8 * size :]))
        if not tree._is_sound(size, arms):
            raise ValueError("not a tree")
        return tree

    def _is_sound(self, size: int, arms: int) -> bool:
        if not size or len(self.other) != size or self.keys[-1] >= 0:
            return False
        return all(
            0 <= other <= len(self.values) - arms if key < 0 else place < other < size
            for place, (key, other) in enumerate(zip(self.keys, self.other, strict=True))
        )


@dataclass(frozen=True, slots=True)
class Forest:
    """The trees, the arms they know, in the order of the leaves, and at how many results they were grown.

    It never changes, so that it may be asked while another one grows.
    """

    trees: tuple[Tree, ...] = ()
    arms: tuple[Arm, ...] = ()
    grown_at: int = 0

    def is_due(self, taught: int) -> bool:
        """Whether there is enough more to learn from to grow new trees: a twentieth, later a quarter."""
        grown = self.grown_at
        return taught >= max(_FIRST, grown + 1 + grown // (_OFTEN if grown < _MANY else _SELDOM))

    @classmethod
    def grown(cls, lessons: Iterable[Taught], taught: int) -> Self:
        """A forest of these lessons. Equal lessons at equal numbers of results give equal trees."""
        columns = _Columns(list(lessons))
        chance = random.Random(taught)  # noqa: S311  # trees, not secrets
        return cls(tuple([_Growth(columns, chance).tree() for _ in range(TREES)]), columns.arms, taught)

    def qualities(self, features: Sequence[int], task: str) -> dict[Arm, float]:
        """What each arm it knows may make of a task; nothing before it was grown."""
        if not self.trees:
            return {}
        shown = frozenset((*features, _own(task)))
        places = range(len(self.arms))
        leaves = [(tree.values, tree.leaf(shown)) for tree in self.trees]
        return {
            arm: sum([values[leaf + place] for values, leaf in leaves]) / len(leaves)
            for arm, place in zip(self.arms, places, strict=True)
        }


def _packed(bits: bytearray) -> int:
    return int.from_bytes(bits, "little")


@dataclass(slots=True)
class _Sums:
    """Which lessons an arm has, and their weights and weighed qualities: columns, and what a bit in each counts."""

    weights: list[tuple[float, int]]
    qualities: list[tuple[float, int]]

    @classmethod
    def packed(cls, planes: Sequence[bytearray]) -> Self:
        """Of weights and qualities in eighths, a column for each binary digit; empty ones are left out."""
        digits = [((1 << at % _PLANES) / _UNIT, _packed(plane)) for at, plane in enumerate(planes)]
        return cls([one for one in digits[:_PLANES] if one[1]], [one for one in digits[_PLANES:] if one[1]])

    def of(self, mask: int) -> tuple[float, float]:
        """The weight of the lessons in a mask, and the sum of their qualities."""
        weight = quality = 0.0
        for worth, bits in self.weights:
            weight += worth * (mask & bits).bit_count()
        for worth, bits in self.qualities:
            quality += worth * (mask & bits).bit_count()
        return weight, quality


class _Columns:
    """Lessons as columns of bits: `scales` are the steps of each number of a shape, and each class by itself."""

    def __init__(self, lessons: Sequence[Taught]) -> None:
        size = len(lessons) // 8 + 1
        columns: dict[int, bytearray] = {}
        self.arms = tuple(dict.fromkeys(lesson.arm for lesson in lessons))
        sums = {arm: [bytearray(size) for _ in range(2 * _PLANES)] for arm in self.arms}
        for place, lesson in enumerate(lessons):
            byte, bit = place >> 3, 1 << (place & 7)
            for key in (*[one for one in lesson.features if one in _SCALES], _own(lesson.task)):
                column = columns.get(key)
                if column is None:
                    column = columns[key] = bytearray(size)
                column[byte] |= bit
            said = (round(lesson.weight * _UNIT), round(lesson.weight * lesson.quality * _UNIT))
            for at, plane in enumerate(sums[lesson.arm]):
                if said[at // _PLANES] >> at % _PLANES & 1:
                    plane[byte] |= bit
        self.all = (1 << len(lessons)) - 1
        self.bits = {key: _packed(column) for key, column in columns.items()}
        self.sums = [_Sums.packed(planes) for planes in sums.values()]
        groups: dict[int, list[int]] = {}
        for key in sorted(self.bits):
            groups.setdefault(_SCALES.get(key, -key), []).append(key)
        self.scales = [groups[name] for name in sorted(groups)]


class _Growth:
    """One tree while it grows."""

    def __init__(self, columns: _Columns, chance: random.Random) -> None:
        self._columns = columns
        self._chance = chance
        self._keys = array("i")
        self._other = array("i")
        self._values = array("f")

    def tree(self) -> Tree:
        """The tree of all lessons."""
        columns = self._columns
        sums = [arm.of(columns.all) for arm in columns.sums]
        self._grow(columns.all, [quality / weight if weight else 0.5 for weight, quality in sums], columns.scales, 0)
        return Tree(self._keys, self._other, self._values)

    def _grow(self, mask: int, above: Sequence[float], scales: Sequence[list[int]], depth: int) -> None:
        """Add what becomes of some lessons: a leaf, or a branch and what follows on both sides."""
        sums = [arm.of(mask) for arm in self._columns.sums]
        here = [
            (quality + _LEANS_ON_ABOVE * rate) / (weight + _LEANS_ON_ABOVE)
            for (weight, quality), rate in zip(sums, above, strict=True)
        ]
        left = list(scales)
        best = self._best(mask, sums, left) if depth < _DEEPEST else None
        place = len(self._keys)
        if best is None:
            self._keys.append(_LEAF)
            self._other.append(len(self._values))
            self._values.extend(here)
            return
        key, passed = best
        self._keys.append(key)
        self._other.append(0)
        self._grow(passed, here, left, depth + 1)
        self._other[place] = len(self._keys)
        self._grow(mask & ~passed, here, left, depth + 1)

    def _best(self, mask: int, sums: Sequence[tuple[float, float]], scales: list[list[int]]) -> tuple[int, int] | None:
        """The best of the steps drawn, and the lessons that pass it; None where no step parts the lessons.

        Steps found not to part them are taken out of `scales`: they part no smaller number of them either.
        """
        size = mask.bit_count()
        if size < 2 * _LEAST:
            return None
        found: tuple[float, int, int] | None = None
        drawn, left = 0, len(scales)
        while drawn < _DRAWN and left:
            at, left = int(self._chance.random() * left), left - 1
            scales[at], scales[left] = scales[left], scales[at]
            steps = scales[left] = scales[left][:]
            passed = self._part(mask, size, steps)
            if not passed:
                continue
            gain = self._gain(passed, sums)
            if found is None or gain > found[0]:
                found = gain, steps[-1], passed
            drawn += 1
        scales[:] = filter(None, scales)
        return found and found[1:]

    def _part(self, mask: int, size: int, steps: list[int]) -> int:
        """The lessons that pass one of the steps that leave enough on both sides, which is put last; 0 without one."""
        while steps:
            at = int(self._chance.random() * len(steps))
            steps[at], steps[-1] = steps[-1], steps[at]
            passed = mask & self._columns.bits[steps[-1]]
            if _LEAST <= passed.bit_count() <= size - _LEAST:
                return passed
            steps.pop()
        return 0

    def _gain(self, passed: int, sums: Sequence[tuple[float, float]]) -> float:
        """By how much the squared errors of all arms fall where lessons are parted like this."""
        gain = 0.0
        for arm, (weight, quality) in zip(self._columns.sums, sums, strict=True):
            inside, good = arm.of(passed)
            outside = weight - inside
            if inside > 0 and outside > 0:
                gain += inside * outside / weight * (good / inside - (quality - good) / outside) ** 2
        return gain

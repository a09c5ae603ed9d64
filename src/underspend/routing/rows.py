"""Knowledge as rows of text, and back: a kind, a key and a value each, so that any store can keep them."""

from __future__ import annotations

import base64
import json
import zlib
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from typing import Any, NamedTuple, Protocol

from underspend.routing.beliefs import Arm
from underspend.routing.certificate import Tested
from underspend.routing.forest import Forest, Tree
from underspend.routing.monitor import Monitor
from underspend.routing.residual import Contest, Lesson, Residual
from underspend.routing.standing import Apart, Point, Record
from underspend.routing.statistics import Statistics


class Row(NamedTuple):
    """One row. `kind` and `key` name it; a row with the same name takes the place of an older one."""

    kind: str
    key: str
    value: str


class Kept(Protocol):
    """What is written of knowledge, and read back into it."""

    state: int
    taught: int
    statistics: Statistics
    residual: Residual
    arms: dict[Arm, None]
    contests: dict[str, Contest]
    lessons: deque[Lesson]
    records: dict[tuple[str, Arm, Arm], Record]
    apart: dict[tuple[str, Arm], Apart]


def write(knowledge: Kept) -> Iterator[Row]:
    """Every row of some knowledge."""
    yield Row("state", "", json.dumps([knowledge.state, knowledge.taught]))
    for task, contest in knowledge.contests.items():
        yield Row("contest", task, json.dumps([contest.lead, contest.results]))
    for level, arm, sums in knowledge.statistics.rows():
        yield Row("tally", _key(level, arm), json.dumps(sums))
    yield Row("residual", "", knowledge.residual.dump())
    forest = knowledge.residual.forest
    yield Row("forest", "", json.dumps([forest.grown_at, [_arm(arm) for arm in forest.arms]]))
    for place, tree in enumerate(forest.trees):
        yield Row("tree", f"{place:03}", tree.dump())
    for place, arm in enumerate(knowledge.arms):
        yield Row("arm", _key(arm), f"{place:03}")
    for place, lesson in enumerate(knowledge.lessons, start=knowledge.taught - len(knowledge.lessons)):
        said = [lesson.task, *_arm(lesson.arm), lesson.quality, lesson.weight, _pack(lesson.features)]
        yield Row("lesson", f"{place:012}", json.dumps(said))
    for (task, arm), apart in knowledge.apart.items():
        watch = astuple(apart.monitor) if apart.monitor else None
        counts = (apart.done, apart.results, apart.first, apart.last, apart.revoked)
        yield Row("apart", _key(task, arm), json.dumps([*counts, watch]))
    for pair, record in knowledge.records.items():
        yield Row("record", _key(*pair), json.dumps(_record(record)))
        for place, point in enumerate(record.points):
            said = [point.at, point.done, point.done_instead, _pack(point.features)]
            yield Row("point", _key(*pair, f"{place:06}"), json.dumps(said))


def read_into(knowledge: Kept, rows: Iterable[Row]) -> None:
    """Put rows back. Those of an unknown kind or form are left out."""
    for kind, key, value in sorted(rows, key=_turn):
        with suppress(ValueError, TypeError, KeyError, IndexError, zlib.error):
            _take(knowledge, kind, key, value)


_KINDS = ("state", "contest", "tally", "residual", "forest", "tree", "arm", "lesson", "apart", "record", "point")
_ORDER = {kind: place for place, kind in enumerate(_KINDS)}


def _turn(row: Row) -> tuple[int, str]:
    """When a row is read back: what others need comes first, and what has an order in it."""
    inside = row[1] if row[0] in {"lesson", "point", "tree"} else row[2] if row[0] == "arm" else ""
    return _ORDER.get(row[0], len(_ORDER)), inside


def _take(knowledge: Kept, kind: str, key: str, value: str) -> None:
    if kind == "state":
        knowledge.state, knowledge.taught = json.loads(value)
    elif kind == "contest":
        knowledge.contests[key] = Contest(*json.loads(value))
    elif kind == "residual":
        knowledge.residual = Residual.load(value)
    elif kind == "forest":
        grown_at, arms_known = json.loads(value)
        knowledge.residual.forest = Forest(arms=tuple([Arm(*arm) for arm in arms_known]), grown_at=grown_at)
    elif kind == "tree":
        forest = knowledge.residual.forest
        trees = (*forest.trees, Tree.load(value, len(forest.arms)))
        knowledge.residual.forest = replace(forest, trees=trees)
    elif kind == "arm":
        knowledge.arms[_arms(key)[1][0]] = None
    elif kind == "tally":
        level, arms = _arms(key)
        knowledge.statistics.load(level[0], arms[0], tuple(json.loads(value)))
    elif kind == "lesson":
        task, model, effort, provider, quality, weight, packed = json.loads(value)
        knowledge.lessons.append(Lesson(task, _unpack(packed), Arm(model, effort, provider), quality, weight))
    else:
        _take_drawn(knowledge, kind, key, json.loads(value))


def _take_drawn(knowledge: Kept, kind: str, key: str, said: Any) -> None:
    names, arms = _arms(key)
    if kind == "apart":
        done, results, first, last, revoked, watch = said
        watched = Monitor(*watch) if watch else None
        knowledge.apart[names[0], arms[0]] = Apart(done, results, first, last, revoked, watched)
    elif kind == "record":
        tested, tested_at, monitor, revoked = said
        knowledge.records[names[0], arms[0], arms[1]] = Record(
            tested=Tested(*tested) if tested else None,
            tested_at=tested_at,
            monitor=Monitor(*monitor) if monitor else None,
            revoked=revoked,
        )
    elif kind == "point":
        at, done, done_instead, packed = said
        point = Point(tuple(_unpack(packed)), at, bool(done), bool(done_instead))
        knowledge.records[names[0], arms[0], arms[1]].points.append(point)


def _record(record: Record) -> list[Any]:
    tested = astuple(record.tested) if record.tested else None
    return [tested, record.tested_at, astuple(record.monitor) if record.monitor else None, record.revoked]


def _arm(arm: Arm) -> tuple[str, str | None, str]:
    return arm.model, arm.effort, arm.provider


def _key(*parts: str | Arm) -> str:
    return json.dumps([_arm(part) if isinstance(part, Arm) else part for part in parts], separators=(",", ":"))


def _arms(key: str) -> tuple[list[str], list[Arm]]:
    """The names in a key, and the arms in it."""
    parts = json.loads(key)
    return [part for part in parts if isinstance(part, str)], [
        Arm(*part) for part in parts if not isinstance(part, str)
    ]


def _pack(features: Sequence[int]) -> str:
    return base64.b85encode(zlib.compress(array("I", features).tobytes())).decode("ascii")


def _unpack(text: str) -> array[int]:
    return array("I", zlib.decompress(base64.b85decode(text)))

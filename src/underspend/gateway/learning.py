"""What the router learns from results, and how that outlives the gateway: off the path of calls, in a thread."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, Self

from underspend.core.engine import Step
from underspend.routing import rows as written
from underspend.routing.beliefs import Arm, Result
from underspend.routing.knowledge import MOST_LESSONS, Knowledge
from underspend.routing.residual import Contest, Lesson, Residual
from underspend.routing.rows import Row
from underspend.routing.standing import Apart, Promise, Record
from underspend.routing.statistics import Statistics
from underspend.strategies.auto_model import AutoModel

_MOST_WAITING = 10_000
_MOST_FEEDBACK = 10_000
_IDLE_SECONDS = 1.0
_FEEDBACK = "feedback"
_ADDED = frozenset({"lesson", _FEEDBACK})
_PERCENT = 100


class Stored(Protocol):
    """Where rows are kept: `stores.routing.RoutingRows`."""

    def load(self) -> list[Row]:
        """All of them; raises where they cannot be read."""
        ...

    def keep(self, rows: Iterable[Row], gone: Iterable[tuple[str, str]] = ()) -> None:
        """Write rows, remove others; raises where it cannot."""
        ...


class Learning:
    """The knowledge of one gateway. Within its context results are learned, and rows written, by a thread of its own.

    Outside it they are learned at once, and nothing is written. What cannot be written is tried again with the next
    result, and at the end. `rows` are those that the knowledge was made of.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        store: Stored | None = None,
        *,
        on_fault: Callable[[str, str], None] = lambda *_: None,
        rows: Iterable[Row] = (),
    ) -> None:
        self.knowledge = knowledge
        self._store = store
        self._on_fault = on_fault
        rows = tuple(rows)
        self._told = dict.fromkeys(row.key for row in rows if row.kind == _FEEDBACK)
        self._waiting: queue.Queue[Result | Row | None] = queue.Queue(_MOST_WAITING)
        self._rows = _Rows(knowledge, rows)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._work, name="routing-learner", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def learn(self, result: Result) -> None:
        """Take a result; never waits. Where far too many wait it is let go, and that is said."""
        if self._thread is None:
            self.knowledge.learn(result)
        else:
            self._put(result)

    def is_told(self, call: str) -> bool:
        """Whether a user has said already how a call went."""
        return call in self._told

    def tell(self, call: str, score: float) -> None:
        """Note that a user has said how a call went, so that it counts once, also after a restart."""
        self._told[call] = None
        gone = next(iter(self._told)) if len(self._told) > _MOST_FEEDBACK else None
        if gone is not None:
            del self._told[gone]
        if self._thread is not None:
            self._put(Row(_FEEDBACK, call, f"{score:g}"))
            if gone is not None:
                self._put(Row(_FEEDBACK, gone, ""))

    def _put(self, item: Result | Row) -> None:
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            self._on_fault("routing", "a result was not learned: too many wait")

    def _work(self) -> None:
        """Learn what comes; write when nothing more has come for a second."""
        is_changed = is_stopping = False
        while not is_stopping:
            try:
                item = self._waiting.get(timeout=_IDLE_SECONDS if is_changed else None)
            except queue.Empty:
                self._write()
                is_changed = False
                continue
            is_stopping = item is None
            is_changed = self._take(item) or is_changed
        if is_changed:
            self._write()

    def _take(self, item: Result | Row | None) -> bool:
        try:
            if isinstance(item, Row):
                self._rows.tell(item)
            elif item is not None:
                self.knowledge.learn(item)
        except Exception as error:  # noqa: BLE001  # a result that cannot be learned from may cost no others
            self._on_fault("routing", f"{type(error).__name__}: {error}")
        return item is not None

    def _write(self) -> None:
        if self._store is None:
            return
        rows, gone = self._rows.changed()
        try:
            self._store.keep(rows, gone)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with the store, calls go on
            self._on_fault("routing", f"{type(error).__name__}: {error}".splitlines()[0])
        else:
            self._rows.written(rows, gone)


@dataclass(slots=True)
class _Part:
    """Some of what is known, as `routing.rows.write` takes it."""

    state: int
    taught: int
    statistics: Statistics
    residual: Residual
    arms: dict[Arm, None]
    contests: dict[str, Contest]
    lessons: deque[Lesson]
    records: dict[tuple[str, Arm, Arm], Record]
    apart: dict[tuple[str, Arm], Apart]


class _Rows:
    """Which rows have to be written: lessons are added and never change, of the rest what is not as it was."""

    def __init__(self, knowledge: Knowledge, rows: Iterable[Row]) -> None:
        self._knowledge = knowledge
        self._taught = knowledge.taught
        self._oldest = max(0, knowledge.taught - MOST_LESSONS)
        self._known = {(row.kind, row.key): row.value for row in rows if row.kind not in _ADDED}
        self._told: dict[str, str] = {}

    def tell(self, row: Row) -> None:
        """One more row of feedback; without a value it goes."""
        self._told[row.key] = row.value

    def changed(self) -> tuple[list[Row], list[tuple[str, str]]]:
        """The rows to write and the names of those to remove."""
        known = self._knowledge
        new = known.taught - self._taught
        lessons = list(known.lessons)[-new:] if new else []
        part = _Part(
            known.state,
            known.taught,
            known.statistics,
            known.residual,
            known.arms,
            known.contests,
            deque(lessons),
            known.records,
            known.apart,
        )
        every = list(written.write(part))
        rows = [row for row in every if self._known.get((row.kind, row.key)) != row.value]
        rows += [Row(_FEEDBACK, key, value) for key, value in self._told.items() if value]
        oldest = max(0, known.taught - MOST_LESSONS)
        gone = [("lesson", f"{place:012}") for place in range(self._oldest, oldest)]
        gone += [(_FEEDBACK, key) for key, value in self._told.items() if not value]
        gone += self._known.keys() - {(row.kind, row.key) for row in every}
        return rows, gone

    def written(self, rows: list[Row], gone: list[tuple[str, str]]) -> None:
        """These are written now."""
        self._taught = self._knowledge.taught
        self._oldest = max(0, self._taught - MOST_LESSONS)
        self._told.clear()
        self._known.update({(row.kind, row.key): row.value for row in rows if row.kind not in _ADDED})
        for name in gone:
            self._known.pop(name, None)


def learned(store: Stored, steps: Iterable[Step], on_fault: Callable[[str, str], None]) -> Learning:
    """What earlier gateways have learned, to go on with; nothing where it cannot be read."""
    strategy = next(step.strategy for step in steps if isinstance(step.strategy, AutoModel))
    promise = Promise(epsilon=strategy.epsilon_percent / _PERCENT, delta=strategy.delta_percent / _PERCENT)
    rows: list[Row] = []
    try:
        rows = store.load()
    except Exception as error:  # noqa: BLE001  # the gateway starts without what cannot be read
        on_fault("routing", f"{type(error).__name__}: {error}".splitlines()[0])
    return Learning(Knowledge.from_rows(rows, promise), store, on_fault=on_fault, rows=rows)

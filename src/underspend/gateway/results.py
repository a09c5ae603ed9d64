"""What became of tasks: signs of how their steps went, what they cost, and who did them, as results to learn from.

A task is a turn of a slot that the router decided about; of one that it only watches the whole slot; of a call that
belongs to no session the call. It ends when the next one begins, or when its slot has been silent for half an hour.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from underspend.core.money import Money
from underspend.core.signs import Sign
from underspend.gateway.learning import Learning
from underspend.routing.beliefs import Arm, Result
from underspend.routing.qualities import quality_of

_SILENCE = 30 * 60 * 1_000_000
_MOST_TASKS = 4_096
_MOST_CALLS = 20_000


@dataclass(slots=True, kw_only=True)
class Task:
    """One task under way: its class, its features, who does it in whose place, and what it has cost so far (pico-$).

    The class is "" until the first call has ended, where no decision went by it. `found` is the last that was seen of
    how it goes: its quality and how much that may be trusted. `lasts` is whether more calls may belong to it. Of one
    that was `drawn` the arm was put to it by chance.
    """

    name: str
    features: tuple[int, ...]
    arm: Arm
    instead_of: Arm
    lasts: bool
    drawn: bool = False
    cost: Money = 0
    at: int = 0
    found: tuple[float, float] | None = None

    def note(self, signs: frozenset[Sign]) -> None:
        """Take in what was seen of a step: the last word counts."""
        self.found = quality_of(signs) or self.found

    def result(self, quality: float, weight: float) -> Result:
        """What became of it."""
        return Result(
            task=self.name,
            arm=self.arm,
            quality=quality,
            cost=self.cost,
            at=self.at,
            features=self.features,
            weight=weight,
            randomised=self.drawn,
            instead_of=self.instead_of,
        )


class Tasks:
    """All tasks under way, by their conversations, and those that calls belonged to."""

    def __init__(self, learning: Learning) -> None:
        self._learning = learning
        self._under_way: OrderedDict[str, Task] = OrderedDict()
        self._of_calls: OrderedDict[str, Task] = OrderedDict()

    def of(self, conversation: str) -> Task | None:
        """The task a conversation is at."""
        return self._under_way.get(conversation)

    def of_call(self, call: str) -> Task | None:
        """The task that one of the latest calls belonged to."""
        return self._of_calls.get(call)

    def begin(self, conversation: str, task: Task) -> None:
        """Another task: the conversation's last one has ended."""
        self.end(conversation)
        self._under_way[conversation] = task
        if len(self._under_way) > _MOST_TASKS:
            self.end(next(iter(self._under_way)))

    def end(self, conversation: str) -> None:
        """Learn from a conversation's task, where anything was seen of how it went."""
        task = self._under_way.pop(conversation, None)
        if task is not None and task.found is not None and task.name:
            self._learning.learn(task.result(*task.found))

    def settled(self, conversation: str, task: Task, call: str, cost: Money, at: int) -> None:
        """A call of a task has ended at `at` (µs since the epoch) and cost so much."""
        task.cost += cost
        task.at = at
        self._of_calls[call] = task
        if len(self._of_calls) > _MOST_CALLS:
            self._of_calls.popitem(last=False)
        if self._under_way.get(conversation) is task:
            if task.lasts:
                self._under_way.move_to_end(conversation)
            else:
                self.end(conversation)
        self.end_silent(at)

    def end_silent(self, now: int) -> None:
        """End what nothing has been heard of for half an hour."""
        while self._under_way:
            conversation, task = next(iter(self._under_way.items()))
            if not task.at or now - task.at < _SILENCE:
                return
            self.end(conversation)

    def end_all(self) -> None:
        """The gateway stops."""
        for conversation in list(self._under_way):
            self.end(conversation)

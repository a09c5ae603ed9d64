"""What routing learns in a replayed world: what each turn cost on the model that did it, once the turn is over.

Nothing is learned of a turn that still goes on, nor of a model that was not used: there is no hindsight.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from underspend.core.call import Call
from underspend.core.money import Money
from underspend.core.plan import Plan
from underspend.core.slots import Failure
from underspend.routing.beliefs import Arm, Knowing
from underspend.routing.decisions import task_of

_HOUR = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One typed prompt and the tool loop it started, done by one arm: its class, its cost, when it began and ended.

    `row` numbers its conversation.
    """

    name: str
    row: int
    task: str
    arm: Arm
    asked: Arm
    cost: Money
    began: int
    ended: int


@dataclass(slots=True, kw_only=True)
class _Open:
    name: str
    call: Call
    asked: Call
    cost: Money
    last: int


@dataclass(slots=True, kw_only=True)
class Outcomes:
    """Hands each turn to `learn` when it is over: at its conversation's next turn, or after an hour's silence.

    `learn` gives the failure it saw in the turn, if any; the conversation's slot bears it from then on.
    """

    knowing: Knowing
    learn: Callable[[Turn], Failure | None]
    failures: dict[int, tuple[Failure, ...]] = field(default_factory=dict)
    _open: dict[int, _Open] = field(default_factory=dict)
    _waiting: deque[tuple[int, int]] = field(default_factory=deque)

    def before(self, row: int, call: Call) -> Knowing:
        """What is known when a conversation makes its next call."""
        going_on = self._open.get(row)
        if going_on is not None and going_on.name != _turn_of(call):
            self._close(row)
        return self.until(call.time)

    def until(self, now: int) -> Knowing:
        """Time passes; what is known then."""
        while self._waiting and self._waiting[0][0] + _HOUR <= now:
            last, row = self._waiting.popleft()
            if row in self._open and self._open[row].last == last:
                self._close(row)
        return self.knowing

    def add(self, row: int, plan: Plan, cost: Money) -> None:
        """A call of a conversation as it was sent, and what it cost."""
        call, name = plan.call, _turn_of(plan.asked)
        going_on = self._open.get(row)
        is_same = going_on is not None and going_on.name == name and going_on.call.model == call.model
        if going_on is not None and is_same:
            going_on.cost += cost
            going_on.last = call.time
        else:
            if going_on is not None:
                self._close(row)
            self._open[row] = _Open(name=name, call=call, asked=plan.asked, cost=cost, last=call.time)
        self._waiting.append((call.time, row))

    def _close(self, row: int) -> None:
        done = self._open.pop(row)
        failed = self.learn(
            Turn(
                name=done.name,
                row=row,
                task=task_of(done.asked),
                arm=Arm(done.call.model, done.call.effort, done.call.provider),
                asked=Arm(done.asked.model, done.asked.effort, done.asked.provider),
                cost=done.cost,
                began=done.call.time,
                ended=done.last,
            )
        )
        if failed is not None:
            self.failures[row] = (*self.failures.get(row, ()), failed)


def _turn_of(call: Call) -> str:
    return call.identity.turn or call.id

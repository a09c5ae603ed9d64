"""A user's habits as they come to be known, call by call: no strategy hears of what was still to come."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Hashable, Iterable

from underspend.core.call import Call, Role
from underspend.core.conversation import Habits

_HOUR = 3_600_000_000
_MOST_KEPT = 4_000
_CONVERSATIONS = 50_000


class Past:
    """What was learned of the calls so far. `habits` is one object that grows: strategies may only read it.

    It may run for months: a list that has become long is thinned to every second value, and of conversations the
    oldest are forgotten.
    """

    __slots__ = ("_calls", "_gaps", "_growth", "_last", "_lengths", "_open", "_outputs", "_prompts", "habits")

    def __init__(self) -> None:
        self._gaps: dict[Role, list[int]] = {}
        self._lengths: dict[Role, list[int]] = {}
        self._growth: dict[Role, list[int]] = {}
        self._outputs: dict[str, list[int]] = {}
        self.habits = Habits(gaps=self._gaps, lengths=self._lengths, growth=self._growth, outputs=self._outputs)
        self._calls: dict[Hashable, int] = {}
        self._last: dict[Hashable, int] = {}
        self._prompts: dict[Hashable, int] = {}
        self._open: deque[tuple[int, Hashable, Role]] = deque()

    def until(self, now: int) -> None:
        """Time passes: a conversation without a call for an hour has finished, as far as anyone can tell."""
        waiting = self._open
        while waiting and waiting[0][0] + _HOUR <= now:
            last, row, role = waiting.popleft()
            if self._last.get(row) == last:
                _keep(self._lengths.setdefault(role, []), self._calls.pop(row, 0))

    def add(self, row: Hashable, call: Call, output: int) -> None:
        """A call of a conversation, and how many tokens its reply had."""
        self.note(row, call, call.prompt_tokens, output)

    def note(self, row: Hashable, call: Call, prompt: int, output: int) -> None:
        """The same, of a call whose prompt had so many tokens, whatever it was taken for."""
        self._take(row, call, prompt, output, _keep)

    def note_all(self, calls: Iterable[tuple[Hashable, Call, int, int]]) -> None:
        """Many at once, in their order: cheaper than one by one."""
        touched: dict[int, list[int]] = {}

        def put(values: list[int], value: int) -> None:
            values.append(value)
            touched[id(values)] = values

        for row, call, prompt, output in calls:
            self._take(row, call, prompt, output, put)
        for values in touched.values():
            values.sort()
            while len(values) > _MOST_KEPT:
                del values[::2]

    def _take(
        self, row: Hashable, call: Call, prompt: int, output: int, keep: Callable[[list[int], int], None]
    ) -> None:
        role, now = call.identity.role, call.time
        earlier = self._last.get(row)
        if earlier is not None:
            keep(self._gaps.setdefault(role, []), max(now - earlier, 0))
            growth = prompt - self._prompts[row]
            if growth >= 0:
                keep(self._growth.setdefault(role, []), growth)
        keep(self._outputs.setdefault(call.kind, []), output)
        self._calls[row] = self._calls.get(row, 0) + 1
        self._last[row], self._prompts[row] = now, prompt
        self._open.append((now, row, role))
        if len(self._last) > _CONVERSATIONS:
            oldest = next(iter(self._last))
            for known in (self._last, self._prompts, self._calls):
                known.pop(oldest, None)


def _keep(values: list[int], value: int) -> None:
    insort(values, value)
    if len(values) > _MOST_KEPT:
        del values[::2]

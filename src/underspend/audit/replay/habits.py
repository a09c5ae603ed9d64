"""A user's habits as they come to be known, call by call: no strategy hears of what was still to come."""

from __future__ import annotations

from bisect import insort
from collections import deque

from underspend.core.call import Call, Role
from underspend.core.conversation import Habits
from underspend.promptcache.cache import LIFETIMES
from underspend.promptcache.prompt import LONG


class Past:
    """What was learned of the calls so far. `habits` is one object that grows: strategies may only read it."""

    __slots__ = ("_calls", "_gaps", "_growth", "_last", "_lengths", "_open", "_outputs", "_prompts", "habits")

    def __init__(self) -> None:
        self._gaps: dict[Role, list[int]] = {}
        self._lengths: dict[Role, list[int]] = {}
        self._growth: dict[Role, list[int]] = {}
        self._outputs: dict[str, list[int]] = {}
        self.habits = Habits(gaps=self._gaps, lengths=self._lengths, growth=self._growth, outputs=self._outputs)
        self._calls: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._prompts: dict[int, int] = {}
        self._open: deque[tuple[int, int, Role]] = deque()

    def until(self, now: int) -> None:
        """Time passes: a conversation without a call for an hour has finished, as far as anyone can tell."""
        waiting, hour = self._open, LIFETIMES[LONG]
        while waiting and waiting[0][0] + hour <= now:
            last, row, role = waiting.popleft()
            if self._last[row] == last:
                insort(self._lengths.setdefault(role, []), self._calls.pop(row, 0))

    def add(self, row: int, call: Call, output: int) -> None:
        """A call of a conversation, and how many tokens its reply had."""
        role, now = call.identity.role, call.time
        earlier = self._last.get(row)
        if earlier is not None:
            insort(self._gaps.setdefault(role, []), max(now - earlier, 0))
            growth = call.prompt_tokens - self._prompts[row]
            if growth >= 0:
                insort(self._growth.setdefault(role, []), growth)
        insort(self._outputs.setdefault(call.kind, []), output)
        self._calls[row] = self._calls.get(row, 0) + 1
        self._last[row], self._prompts[row] = now, call.prompt_tokens
        self._open.append((now, row, role))

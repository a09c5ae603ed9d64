"""A timeline as a row of replies, each with what happened since the one before it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from underspend.advisors.reading.prompts import Prompt, prompt_of
from underspend.core.history import Answered, Event, Mark, MarkKind, Result, Timeline, Typed
from underspend.core.reply import Bill

MINUTE = 60_000_000
"""In microseconds."""

BREAKS: Collection[MarkKind] = frozenset({MarkKind.COMPACTION, MarkKind.CLEAR})
"""After these marks the context is another one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Step(NamedTuple):
    """One reply, its prompt, what came between the reply before it and this one, and when it was asked for."""

    reply: Answered
    prompt: Prompt
    before: tuple[Event, ...]
    asked: int

    def gap(self, earlier: Step) -> int:
        """Microseconds between the two requests: a cache's lifetime runs from request to request."""
        return max(self.asked - earlier.asked, 0)

    def mark(self, kind: MarkKind) -> Mark | None:
        """The last mark of a kind since the reply before."""
        for event in reversed(self.before):
            if isinstance(event, Mark) and event.kind is kind:
                return event
        return None


def steps(timeline: Timeline, bills: Mapping[str, Bill]) -> list[Step]:
    """The replies of a timeline, oldest first. Replies of agents that only the parent's file holds are left out."""
    made = []
    waiting: list[Event] = []
    for event in timeline.events:
        if not isinstance(event, Answered):
            waiting.append(event)
        elif not (event.nested and timeline.agent is None):
            before = tuple(waiting)
            waiting = []
            made.append(Step(event, prompt_of(event, bills.get(event.message_id)), before, _asked(event, before)))
    return made


def segments(row: Iterable[Step], breaks: Collection[MarkKind] = BREAKS) -> list[list[Step]]:
    """The row cut where the context became another one. A step keeps all that came before it, also before the cut."""
    made: list[list[Step]] = []
    for step in row:
        broken = any(isinstance(event, Mark) and event.kind in breaks for event in step.before)
        if broken or not made:
            made.append([])
        made[-1].append(step)
    return made


def moment(at: int) -> str:
    """A time for people: UTC to the minute."""
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%d %H:%MZ")


def _asked(reply: Answered, before: tuple[Event, ...]) -> int:
    """A request leaves when the last result is in or the prompt is typed; the reply's own time is its first output."""
    for event in reversed(before):
        if isinstance(event, (Result, Typed)):
            return min(event.at, reply.at)
    return reply.at

"""A timeline as a row of replies, each with what happened since the one before it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from underspend.advisors.reading.prompts import Prompt, prompt_of
from underspend.core.history import Answered, Event, Mark, MarkKind, Result, Timeline, Typed
from underspend.core.reply import Bill

MINUTE = 60_000_000
"""In microseconds."""

BREAKS: Collection[MarkKind] = frozenset({MarkKind.COMPACTION, MarkKind.CLEAR})
"""After these marks the context is another one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Step(msgspec.Struct, frozen=True, gc=False):
    """One reply, its prompt, what came between the reply before it and this one, and when it was asked for.

    `results` are the results among what came before, `marked` is whether there were marks too.
    """

    reply: Answered
    prompt: Prompt
    before: tuple[Event, ...]
    asked: int
    results: tuple[Result, ...] = ()
    marked: bool = False

    def gap(self, earlier: Step) -> int:
        """Microseconds between the two requests: a cache's lifetime runs from request to request."""
        return max(self.asked - earlier.asked, 0)

    def mark(self, kind: MarkKind) -> Mark | None:
        """The last mark of a kind since the reply before."""
        if not self.marked:
            return None
        for event in reversed(self.before):
            if type(event) is Mark and event.kind is kind:
                return event
        return None


def steps(timeline: Timeline, bills: Mapping[str, Bill]) -> list[Step]:
    """The replies of a timeline, oldest first. Replies of agents that only the parent's file holds are left out."""
    made: list[Step] = []
    waiting: list[Event] = []
    results: list[Result] = []
    marked, led = False, None
    for event in timeline.events:
        if type(event) is Answered:
            if event.nested and timeline.agent is None:
                continue
            # A request leaves when the last result is in or the prompt is typed; the reply's own time is its first
            # output.
            at = event.at
            asked = at if led is None or led > at else led
            prompt = prompt_of(event, bills.get(event.message_id))
            made.append(Step(event, prompt, tuple(waiting), asked, tuple(results), marked))
            waiting, results, marked, led = [], [], False, None
            continue
        waiting.append(event)
        if type(event) is Result:
            results.append(event)
            led = event.at
        elif type(event) is Typed:
            led = event.at
        else:
            marked = True
    return made


def segments(row: Iterable[Step], breaks: Collection[MarkKind] = BREAKS) -> list[list[Step]]:
    """The row cut where the context became another one. A step keeps all that came before it, also before the cut."""
    made: list[list[Step]] = []
    for step in row:
        broken = step.marked and any(type(event) is Mark and event.kind in breaks for event in step.before)
        if broken or not made:
            made.append([])
        made[-1].append(step)
    return made


def moment(at: int) -> str:
    """A time for people: UTC to the minute."""
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%d %H:%MZ")

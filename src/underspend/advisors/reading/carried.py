"""How long each tool result stayed in the context, and what that cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

import msgspec

from underspend.advisors.reading.prompts import Part
from underspend.advisors.reading.steps import BREAKS, Step, segments
from underspend.core.advisor import Claimed
from underspend.core.history import Event, Mark, MarkKind, Result, ToolUse
from underspend.core.money import Money
from underspend.core.usage import Lane
from underspend.tokens.estimate import tokens_in

LEAVING = frozenset({*BREAKS, MarkKind.MICROCOMPACTION})
"""Marks after which a result is held to have left. Which ones a microcompaction dropped is not recorded."""

_IMAGE_TOKENS = 1_500
"""An image at the size to which clients shrink it; held to what the prompt really grew by."""


class Carried(msgspec.Struct, gc=False):
    """A result in the context: at position `start` for `tokens`, from step `entered` until before step `left`.

    `unread` are the steps after its entry that did not read all of it from the cache.
    """

    result: Result
    use: ToolUse | None
    tokens: int
    start: int
    entered: int
    left: int
    unread: tuple[int, ...] = ()

    @property
    def stop(self) -> int:
        """The position after its last token."""
        return self.start + self.tokens


class Stretch(msgspec.Struct, gc=False):
    """Steps of one unbroken context, and the results that entered it, in order."""

    steps: Sequence[Step]
    results: list[Carried]
    _reads: list[Money]

    def cost(self, carried: Carried, beyond: int = 0) -> Money:
        """What the result's tokens after its first `beyond` cost, from its entry until it left."""
        start, tokens, steps, reads = carried.start + beyond, carried.tokens - beyond, self.steps, self._reads
        stop, entered = start + tokens, carried.entered
        total = tokens * (reads[carried.left] - reads[entered + 1]) + steps[entered].prompt.paid(start, stop)
        for at in carried.unread:
            total += steps[at].prompt.above_reading(start, stop)
        return total

    def claims(self, results: Sequence[Carried], beyond: int = 0) -> list[Claimed]:
        """What each reply paid for these results' tokens after their first `beyond`: all the charges, added up."""
        # How many more tokens each step read than the one before it: most results are read again by most steps.
        more = [0] * (len(self.steps) + 1)
        found: dict[tuple[str, Lane], Money] = {}
        for carried in results:
            start, stop = carried.start + beyond, carried.stop
            more[carried.entered + 1] += stop - start
            more[carried.left] -= stop - start
            for at in carried.unread:
                more[at] -= stop - start
                more[at + 1] += stop - start
            for at in (carried.entered, *carried.unread):
                step = self.steps[at]
                for part in step.prompt.between(start, stop):
                    place = (step.reply.message_id, part.lane)
                    found[place] = found.get(place, 0) + part.amount
        for step, tokens in zip(self.steps, accumulate(more), strict=False):
            if tokens:
                place = (step.reply.message_id, Lane.CACHE_READ)
                found[place] = found.get(place, 0) + tokens * step.prompt.read_rate
        return [(message, lane, amount) for (message, lane), amount in found.items() if amount]

    def charges(self, carried: Carried, beyond: int = 0) -> Iterator[tuple[Step, Part]]:
        """What each step paid for the result's tokens after its first `beyond`, lane by lane."""
        for at in range(carried.entered, carried.left):
            step = self.steps[at]
            for part in step.prompt.between(carried.start + beyond, carried.stop):
                yield step, part


def stretches(row: Sequence[Step]) -> list[Stretch]:
    """The contexts of a row of steps, each with the results in it."""
    uses = {use.id: use for step in row for use in step.reply.tools}
    return [_stretch(segment, uses) for segment in segments(row, LEAVING)]


def _stretch(row: list[Step], uses: Mapping[str, ToolUse]) -> Stretch:
    results: list[Carried] = []
    here: list[Carried] = []
    earlier, end = 0, len(row)
    for index, step in enumerate(row):
        size, read = step.prompt.size, step.prompt.read
        entering = _entering(step, size - earlier) if step.results else ()
        start = size
        for _, tokens in entering:
            start -= tokens
        earlier = size
        # A prompt that shrank lost its end (the person went back): what stood there is gone, and new results take its
        # place, so that no two results ever share a position.
        while here and (last := here[-1]).start + last.tokens > start:
            here.pop().left = index
        for carried in reversed(here):
            if carried.start + carried.tokens <= read:
                break
            carried.unread += (index,)
        for result, tokens in entering:
            if tokens:
                carried = Carried(result, uses.get(result.use_id), tokens, start, index, end)
                here.append(carried)
                results.append(carried)
                start += tokens
    reads = list(accumulate([step.prompt.read_rate for step in row], initial=0))
    return Stretch(row, results, reads)


def _entering(step: Step, room: int) -> Sequence[tuple[Result, int]]:
    """The results that this step's prompt brought in, with their tokens: as estimated, at most what it grew by."""
    found: Sequence[Result] = step.results
    if step.marked:
        found = [event for event in _since_break(step.before) if type(event) is Result]
    if room < 0:
        room = step.prompt.size
    if len(found) == 1:
        result = found[0]
        return [(result, min(_tokens_of(result), room))]
    sizes = [_tokens_of(result) for result in found]
    total = sum(sizes)
    if total > room:
        sizes = [size * room // total for size in sizes]
    return list(zip(found, sizes, strict=True))


def _tokens_of(result: Result) -> int:
    tokens = tokens_in(result.size)
    return tokens + result.images * _IMAGE_TOKENS if result.images else tokens


def _since_break(before: Sequence[Event]) -> Sequence[Event]:
    """What came after the last break: results from before it went into the summary, not into this prompt."""
    for index in range(len(before) - 1, -1, -1):
        event = before[index]
        if type(event) is Mark and event.kind in LEAVING:
            # A microcompaction leaves the newest results in place.
            return before if event.kind is MarkKind.MICROCOMPACTION else before[index + 1 :]
    return before

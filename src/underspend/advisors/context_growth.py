"""Sessions that kept growing, and what a fresh start at one of the user's own prompts would have left."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import ClassVar, NamedTuple

import msgspec

from underspend.advisors.reading import Step, first, moment, segments, steps_of
from underspend.core.advisor import Advisor, Claimed, Confidence, Finding, RateSource, Seen, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import History, Timeline, ToolUse, Typed
from underspend.core.money import Money, show
from underspend.core.usage import Lane
from underspend.tokens.estimate import tokens_in

LEVELS = tuple(range(25_000, 1_000_000, 25_000))
"""Context sizes at which the rule "clear at the next prompt once the context is larger" is replayed."""

_FILES = frozenset({"Read", "Edit", "MultiEdit", "Write", "NotebookRead", "NotebookEdit"})
_ROWS = 100
_CLEAR = "context-growth/clear"


class Boundary(NamedTuple):
    """A prompt a person typed in mid-session, before step `at`.

    `held` tokens were in the context then; `kept` of them a fresh start would have had again: what the session began
    with, all that was typed and said, and each file that is used again later.
    """

    at: int
    held: int
    kept: int


class Start(NamedTuple):
    """A fresh start at a boundary, replayed up to the step `end`; `gain` is negative where it would have cost more."""

    row: list[Step]
    boundary: Boundary
    end: int
    gain: Money
    known: list[Claimed]

    def spared(self) -> list[Claimed]:
        """What it would have spared each later reply, lane by lane."""
        if not self.known:
            at, held, kept = self.boundary
            for step in self.row[at : self.end]:
                prompt, message = step.prompt, step.reply.message_id
                if kept < held <= prompt.read:
                    self.known.append((message, Lane.CACHE_READ, (held - kept) * prompt.read_rate))
                else:
                    self.known.extend([(message, part.lane, part.amount) for part in prompt.between(kept, held)])
        return self.known


class _Context(NamedTuple):
    """One unbroken context of a main session, and the fresh starts in it that were replayed: many rules share them."""

    timeline: Timeline
    row: list[Step]
    boundaries: list[Boundary]
    replayed: dict[tuple[int, int], Start]
    reads: list[Money]

    def start(self, boundary: Boundary, end: int, rates: RateSource) -> Start:
        """A fresh start at a boundary, replayed up to the step `end`."""
        known = self.replayed.get((boundary.at, end))
        if known is None:
            known = self.replayed[boundary.at, end] = _start(self, boundary, end, rates)
        return known


class Point(msgspec.Struct, array_like=True, gc=False):
    """The best prompt of a context to start afresh at, as evidence."""

    session: str
    asked: int
    held: int
    kept: int
    calls: int
    gain: Money
    at: int
    message: str

    def order(self) -> tuple[object, ...]:
        """The dearest first."""
        return -self.gain, self.at, self.message


class GrowthFacts(msgspec.Struct, array_like=True, gc=False):
    """By level of `LEVELS`: what reading above it was billed, what fresh starts above it gain, how many they are.

    `claims` names, for each level with fresh starts, the claims of its rule. `points` are the first `_ROWS`.
    """

    largest: int
    spent: list[Money]
    gains: dict[int, Money]
    starts: dict[int, int]
    claims: dict[int, str]
    points: list[Point]


class ContextGrowth(Advisor[GrowthFacts]):
    """Main sessions that grew: what the context above each size cost, and what clearing at prompts would have saved."""

    __slots__ = ()
    name: ClassVar[str] = "context-growth"
    facts: ClassVar[type] = GrowthFacts

    def look(self, history: History, around: Surroundings) -> Seen | None:
        """What each level's rule comes to, and the best prompt to start afresh at in each context."""
        contexts = list(_contexts(history, around))
        largest = max([step.prompt.size for context in contexts for step in context.row], default=0)
        if not largest:
            return None
        facts = GrowthFacts(largest, _spent_above(contexts), {}, {}, {}, [])
        claims: dict[str, list[Claimed]] = {}
        chosen: list[Start] = []
        name = ""
        for level in LEVELS:
            starts = _by_rule(contexts, level, around.rates) if level < largest else []
            if not starts:
                break
            if starts != chosen:
                # Neighbouring rules often come to the same starts, whose claims are then kept once.
                name, chosen = f"{_CLEAR}@{level}", starts
                claims[name] = _claims(starts)
            facts.gains[level] = sum(start.gain for start in starts)
            facts.starts[level], facts.claims[level] = len(starts), name
        facts.points = _best_points(contexts, around.rates)
        return Seen(facts, _with_last(claims, facts.claims))

    def sum_up(self, facts: Sequence[GrowthFacts], around: Surroundings) -> Iterable[Finding]:
        """At most two findings: what clearing by the best rule would have saved, and what each size cost ($0)."""
        del around
        largest = max((each.largest for each in facts), default=0)
        gains = {level: sum(each.gains.get(level, 0) for each in facts) for level in LEVELS if level < largest}
        best = max(gains, key=lambda level: (gains[level], level), default=0)
        if gains.get(best, 0) > 0:
            yield _clear(facts, best, gains[best])
        spent = [sum(each.spent[index] for each in facts) for index in range(len(LEVELS))]
        if spent[0]:
            starts = {level: sum(each.starts.get(level, 0) for each in facts) for level in gains}
            yield _curve(dict(zip(LEVELS, spent, strict=True)), gains, starts)


def _with_last(claims: dict[str, list[Claimed]], names: dict[int, str]) -> dict[str, list[Claimed]]:
    """The claims under names that say the last level too at which they hold, so that no part's name is another's."""
    last = {name: level for level, name in names.items()}
    for level, name in names.items():
        names[level] = f"{name}-{last[name]}"
    return {f"{name}-{last[name]}": found for name, found in claims.items()}


def _contexts(history: History, around: Surroundings) -> Iterator[_Context]:
    for timeline in history.timelines:
        if timeline.agent is not None:
            continue
        row = steps_of(timeline, around)
        first = next((step.prompt.size for step in row if step.prompt.size), 0)
        for segment in segments(row):
            reads = list(accumulate([step.prompt.read_rate for step in segment], initial=0))
            yield _Context(timeline, segment, list(_boundaries(segment, first)), {}, reads)


def _boundaries(row: list[Step], first: int) -> Iterator[Boundary]:
    asked = {at for at, step in enumerate(row) if at and _is_asked(step)}
    if not asked:
        return
    uses: dict[str, ToolUse] = {}
    last_use: dict[str, int] = {}
    for at, step in enumerate(row):
        for use in step.reply.tools:
            if use.name in _FILES and use.target:
                uses[use.id], last_use[use.target] = use, at
    sizes: dict[str, int] = {}
    said = 0
    for at, step in enumerate(row[: max(asked) + 1]):
        if len(step.before) > len(step.results):
            said += sum([tokens_in(event.size) for event in step.before if type(event) is Typed])
        for result in step.results:
            known = uses.get(result.use_id)
            if known is not None:
                sizes[known.target] = max(sizes.get(known.target, 0), tokens_in(max(result.size, known.size)))
        if at in asked:
            held = row[at - 1].prompt.size
            again = sum(size for target, size in sizes.items() if last_use.get(target, -1) >= at)
            yield Boundary(at, held, min(first + said + again, held))
        said += tokens_in(step.reply.text_chars)


def _is_asked(step: Step) -> bool:
    """Whether a person's prompt led to it."""
    if len(step.before) == len(step.results):
        return False
    return any(type(event) is Typed and event.by_person for event in step.before)


def _by_rule(contexts: list[_Context], level: int, rates: RateSource) -> list[Start]:
    """Every fresh start of the rule: at each typed prompt at which the context, as it then were, exceeds the level."""
    made = []
    for context in contexts:
        dropped = 0
        chosen: list[Boundary] = []
        for boundary in context.boundaries:
            could = boundary.held - boundary.kept
            if boundary.held - dropped > level and could > dropped:
                chosen.append(boundary)
                dropped = could
        ends = [*(boundary.at for boundary in chosen), len(context.row)][1:]
        made += [context.start(boundary, end, rates) for boundary, end in zip(chosen, ends, strict=False)]
    return made


def _start(context: _Context, boundary: Boundary, end: int, rates: RateSource) -> Start:
    """A fresh start: what it spares the replies before `end`, less what it has to write again."""
    row, (at, held, kept) = context.row, boundary
    # Most replies read all of it from the cache; of the others each is looked at.
    gain = (held - kept) * (context.reads[end] - context.reads[at])
    for step in row[at:end]:
        prompt = step.prompt
        if prompt.read < held:
            gain += prompt.paid(kept, held) - (held - kept) * prompt.read_rate
    first = row[boundary.at]
    write = first.prompt.rate_of(Lane.CACHE_WRITE_1H) or first.prompt.rate_in(Lane.CACHE_WRITE_5M, first.reply, rates)
    # What a rewrite had to write anyway is not written twice.
    for part in first.prompt.between(0, boundary.kept):
        if part.lane is Lane.CACHE_READ and write is not None:
            gain -= part.tokens * max(write - part.rate, 0)
    return Start(row, boundary, end, gain, [])


def _claims(starts: Iterable[Start]) -> list[Claimed]:
    # The starts of one rule never spare the same reply: each ends where the next begins.
    return [claim for start in starts for claim in start.spared() if claim[2]]


def _clear(facts: Sequence[GrowthFacts], level: int, amount: Money) -> Finding:
    starts = sum(each.starts.get(level, 0) for each in facts)
    return Finding(
        id=_CLEAR,
        urgency=Urgency.HABIT,
        title=f"Starting afresh at your next prompt above {level:,} tokens of context would have saved {show(amount)}",
        amount=amount,
        confidence=Confidence.LOW,
        evidence=Evidence.SIMULATED,
        why=(
            f"Replayed over your own calls: {starts} fresh starts at prompts you typed. Each one keeps what the "
            "session began with, all that you typed and were told, and every file used again later; it pays for "
            "writing that again, and spares the rest in every later call up to the next compaction. Whether you still "
            "needed the rest is not in the record."
        ),
        fix="Run /clear when you begin something new; /compact with a line on what to keep when you go on.",
        claimed=tuple(dict.fromkeys(name for each in facts if (name := each.claims.get(level)))),
        rows=[_row(point) for point in first((each.points for each in facts), Point.order, _ROWS)],
    )


def _best_points(contexts: list[_Context], rates: RateSource) -> list[Point]:
    """The one best prompt to start afresh at in each context, where any would have saved, dearest first."""
    found = []
    for context in contexts:
        ends = len(context.row)
        starts = [context.start(boundary, ends, rates) for boundary in context.boundaries]
        best = max(starts, key=lambda start: start.gain, default=None)
        if best is not None and best.gain > 0:
            found.append(_point(context, best))
    return first([found], Point.order, _ROWS)


def _point(context: _Context, best: Start) -> Point:
    boundary = best.boundary
    step = context.row[boundary.at]
    return Point(
        session=context.timeline.session,
        asked=step.asked,
        held=boundary.held,
        kept=boundary.kept,
        calls=len(context.row) - boundary.at,
        gain=best.gain,
        at=step.reply.at,
        message=step.reply.message_id,
    )


def _row(point: Point) -> dict[str, str | int]:
    return {
        "session": point.session,
        "best prompt": moment(point.asked),
        "context": point.held,
        "kept": point.kept,
        "calls after": point.calls,
        "saved": show(point.gain),
    }


def _spent_above(contexts: list[_Context]) -> list[Money]:
    """What reading the context above each level cost."""
    # Counted once at the highest level that a prompt exceeds, then added up downwards.
    read, rates = [0] * (len(LEVELS) + 1), [0] * (len(LEVELS) + 1)
    for context in contexts:
        for step in context.row:
            exceeded = bisect_left(LEVELS, step.prompt.read)
            if exceeded:
                rate = step.prompt.read_rate
                read[exceeded] += step.prompt.read * rate
                rates[exceeded] += rate
    above, rate_above = 0, 0
    spent = [0] * len(LEVELS)
    for index in range(len(LEVELS) - 1, -1, -1):
        above, rate_above = above + read[index + 1], rate_above + rates[index + 1]
        spent[index] = above - LEVELS[index] * rate_above
    return spent


def _curve(spent: dict[int, Money], gains: dict[int, Money], starts: dict[int, int]) -> Finding:
    return Finding(
        id=f"{ContextGrowth.name}/curve",
        urgency=Urgency.FYI,
        title=f"Re-reading context above {LEVELS[0]:,} tokens cost {show(spent[LEVELS[0]])} in main sessions",
        amount=0,
        confidence=Confidence.HIGH,
        evidence=Evidence.BILLED,
        why=(
            "Every call reads all that went before. Each row says what the context above a size cost to read, and what "
            "the rule 'start afresh at the next typed prompt above it' would have saved after all rewrites."
        ),
        rows=[
            {
                "context above": level,
                "spent on reading it": show(spent[level]),
                "fresh starts": starts.get(level, 0),
                "saved by them": show(gains.get(level, 0)),
            }
            for level in LEVELS
            if spent.get(level)
        ],
    )

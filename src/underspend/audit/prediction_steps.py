"""A timeline's calls as the cache prediction takes them: each with what came before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from underspend.core.history import Answered, Event, Mark, MarkKind, Result, Timeline, Typed
from underspend.core.usage import Usage
from underspend.promptcache import Reset
from underspend.promptcache.cache import LIFETIMES
from underspend.promptcache.prompt import LONG, SHORT
from underspend.tokens.estimate import tokens_in

_RESETS = {
    MarkKind.COMPACTION: Reset.COMPACTED,
    MarkKind.MICROCOMPACTION: Reset.THINNED,
    MarkKind.CLEAR: Reset.CLEARED,
}
_NOT_THE_PROMPT = frozenset({"advisor_message", "compaction"})
AGENTS = frozenset({"Agent", "Task"})
"""Tools that start a sub-agent: in which order their results stand in the request the transcript does not show."""

_ONE_STROKE = 10_000
"""Microseconds: replies this close were copied when a session was continued, and their own times are lost."""


@dataclass(slots=True, kw_only=True)
class Step:
    """A call: its reply, what the timeline notes between it and the call before, and when it was sent.

    `start` is the time of the last result, prompt or failed attempt before the reply: the earliest that the request
    can have left. `row` numbers the timeline. `unit` is the billed unit that holds the prompt, `usage` its tokens.
    `tail` are the tokens expected after the last breakpoint, `rest` those that stand there in every call. `lifetime`
    is what the calls before last wrote for. `failed_at` is when the client last noted an API error.
    """

    line: Timeline
    row: int
    reply: Answered
    earlier: Step | None = field(repr=False, compare=False)
    between: list[Event] = field(repr=False)
    start: int
    unit: int
    usage: Usage
    tail: int = 0
    rest: int = 0
    lifetime: int = LIFETIMES[SHORT]
    failed_at: int | None = None

    @property
    def scope(self) -> tuple[str | None, str | None, str | None]:
        """What a cached prefix belongs to, as far as a reply shows it."""
        metered = self.reply.metered
        return metered.model, self.reply.effort, None if metered.speed == "standard" else metered.speed

    @property
    def kind(self) -> tuple[str | None, ...]:
        """What calls with the same tools and system prompt have in common."""
        line = self.line
        agent = None if line.agent is None else line.agent_type or "agent"
        return line.directory or line.project, self.reply.version, line.entrypoint, agent

    @property
    def reset(self) -> Reset | None:
        """What the client did to the messages just before."""
        for event in reversed(self.between):
            if isinstance(event, Mark) and event.kind in _RESETS:
                return _RESETS[event.kind]
        return None

    @property
    def results(self) -> list[Result]:
        """The tool results that came in since the call before, as they came."""
        return [event for event in self.between if isinstance(event, Result)]

    def has_mark(self, *kinds: MarkKind) -> bool:
        """Whether the client noted one of these, or anything at all."""
        return any(isinstance(event, Mark) and (not kinds or event.kind in kinds) for event in self.between)

    @property
    def is_untimed(self) -> bool:
        """Whether its time is that of a copying, not its own."""
        return self.earlier is not None and self.reply.at - self.earlier.reply.at < _ONE_STROKE

    @property
    def has_parallel_agents(self) -> bool:
        """Whether it brings back the results of several sub-agents at once."""
        uses = self.earlier.reply.tools if self.earlier else ()
        return len(uses) > 1 and any(use.name in AGENTS for use in uses)

    @property
    def is_new_turn(self) -> bool:
        """Whether a prompt was given since the call before."""
        return any(isinstance(event, Typed) for event in self.between)


def steps(line: Timeline, row: int, *, tails: bool = True) -> Iterator[Step]:
    """The calls of a timeline in order; replies without a prompt of their own are left out.

    Without `tails` nobody asks what is expected behind the last breakpoint, and it is not worked out.
    """
    between: list[Event] = []
    earlier: Step | None = None
    failed_at: int | None = None
    for event in line.events:
        if not isinstance(event, Answered):
            between.append(event)
            if isinstance(event, Mark) and event.kind is MarkKind.API_ERROR:
                failed_at = event.at
            continue
        unit = _unit(event)
        if unit is None:
            continue
        step = Step(
            line=line,
            row=row,
            reply=event,
            earlier=earlier,
            between=between,
            start=_start(event, between),
            unit=unit,
            usage=event.metered.units[unit].usage,
            failed_at=failed_at,
        )
        if earlier is not None:
            step.lifetime = _written_for(earlier.usage) or earlier.lifetime
            step.start = earlier.start if step.is_untimed else step.start
        if tails:
            _expect_tail(step)
        yield step
        earlier, between = step, []


def _unit(reply: Answered) -> int | None:
    """The first billed pass over the prompt."""
    for number, unit in enumerate(reply.metered.units):
        if unit.billed and unit.kind not in _NOT_THE_PROMPT and unit.usage.prompt:
            return number
    return None


def _written_for(usage: Usage) -> int | None:
    if usage.cache_write_5m:
        return LIFETIMES[SHORT]
    return LIFETIMES[LONG] if usage.cache_write_1h else None


def _start(reply: Answered, between: list[Event]) -> int:
    sent = (event.at for event in between if not isinstance(event, Mark) or event.kind is MarkKind.API_ERROR)
    last = max(sent, default=reply.at)
    return min(last, reply.at)


def _expect_tail(step: Step) -> None:
    """How much of the prompt stands after its last breakpoint.

    A few tokens as in the call before, and more where parallel results came back out of order: the client marks the
    one that came last, and the request lists them in the order they were asked for.
    """
    earlier = step.earlier
    if earlier is None:
        return
    step.rest = earlier.usage.input if earlier.earlier is None else min(earlier.rest, earlier.usage.input)
    if earlier.usage.input == earlier.usage.prompt:
        # Nothing was read or written: caching is off.
        step.tail = step.rest = step.usage.prompt
        return
    step.tail = step.rest + _behind_the_last(step, earlier)


def _behind_the_last(step: Step, earlier: Step) -> int:
    """The tokens of the results that stand behind the one that came last, by their share of the new characters."""
    order = {use.id: number for number, use in enumerate(earlier.reply.tools)}
    results = [result for result in step.results if result.use_id in order]
    if not results or step.is_new_turn or step.has_parallel_agents:
        return 0
    # Within a file the lines are in the order of arrival, which their times are too coarse to tell.
    last = order[max(results, key=_line).use_id]
    behind = sum(result.size for result in results if order[result.use_id] > last)
    said = earlier.reply.text_chars + sum(use.size for use in earlier.reply.tools)
    output = earlier.usage.output if earlier.reply.finalised else max(tokens_in(said), earlier.usage.output)
    new = max(0, step.usage.prompt - earlier.usage.prompt - output)
    return new * behind // max(1, sum(result.size for result in results))


def _line(result: Result) -> tuple[str, int]:
    return result.place.file, result.place.line

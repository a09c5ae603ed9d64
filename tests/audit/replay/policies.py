"""Small strategies and traffic for tests of the replay."""

from dataclasses import dataclass
from typing import ClassVar

from audit.calls_in_a_row import MINUTE, START, STEADY, line, loop, result, typed
from audit.histories import history, reply, tool
from underspend.audit.replay.traffic import traffic
from underspend.core.edits import DropMessages, ReplaceContent, SetBreakpoint, SetMaxOutput, SetModel, ShortenContent
from underspend.core.engine import Step
from underspend.core.strategy import State, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Strategy):
    """Refuses, and never changes a call: it is not replayed."""

    name: ClassVar[str] = "limit"
    edits: ClassVar[bool] = False

    def decide(self, call, ctx):
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing(Strategy):
    name: ClassVar[str] = "nothing"

    def decide(self, call, ctx):
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime(Strategy):
    name: ClassVar[str] = "lifetime"
    ttl: str = "1h"

    def decide(self, call, ctx):
        for at, block in enumerate(call.blocks):
            if block.breakpoint:
                yield SetBreakpoint(at, self.ttl, why="t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim(Strategy):
    """At first entry: only in what came in behind the last use."""

    name: ClassVar[str] = "trim"
    tokens: int = 10

    def decide(self, call, ctx):
        for at in range(len(call.blocks) - 1, -1, -1):
            block = call.blocks[at]
            if block.kind == "tool_use":
                return
            if block.kind == "tool_result" and block.tokens > self.tokens and not block.edited:
                yield ShortenContent(at, 5, 5, self.tokens, why="t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune(Strategy):
    """Old results, at once or only when the prompt is cold."""

    name: ClassVar[str] = "prune"
    cold_only: bool = False

    def decide(self, call, ctx):
        if self.cold_only and not ctx.conversation.is_cold:
            return
        for at, block in enumerate(call.blocks[:-3]):
            if block.kind == "tool_result" and not block.edited:
                yield ReplaceContent(at, "gone", 1, why="t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Strategy):
    name: ClassVar[str] = "model"
    to: str

    def decide(self, call, ctx):
        yield SetModel(self.to, why="t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap(Strategy):
    name: ClassVar[str] = "cap"
    tokens: int

    def decide(self, call, ctx):
        yield SetMaxOutput(self.tokens, why="t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget(Strategy):
    """Leaves out the oldest messages but the first; a pure function of the prompt."""

    name: ClassVar[str] = "forget"
    above: int

    def decide(self, call, ctx):
        if call.prompt_tokens > self.above:
            yield DropMessages(2, 3, why="t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Strategy):
    name: ClassVar[str] = "broken"

    def decide(self, call, ctx):
        raise RuntimeError("boom")


def on(*strategies):
    return [Step(strategy, State.ON) for strategy in strategies]


def steady(*more, gap=MINUTE, **options):
    """The traffic of one tool loop."""
    return traffic(history(line(*loop(*STEADY, *more, gap=gap), **options)))


def reads(*sizes, gap=MINUTE, start=START, name="r", **more):
    """A loop that reads files, each bringing so many tokens; every call reads what the one before left."""
    events, at, held = [typed(start)], start, 10_000
    events.append(reply(f"{name}0", at, (0, held, 0, 0, 40), tools=(tool("Read", "a.py", 40, f"{name}-0"),), **more))
    for number, size in enumerate(sizes, start=1):
        at += gap
        events.append(result(f"{name}-{number - 1}", at - 1_000_000, size=round(size * 3.5)))
        usage = (0, size + 40, 0, held, 40)
        held += size + 40
        use = tool("Read", f"f{number}.py", 40, f"{name}-{number}")
        events.append(reply(f"{name}{number}", at, usage, tools=(use,), **more))
    return events


def cost_of(made, played):
    """What the traffic would have cost."""
    return sum(
        asked.paid.total if cost is None else cost.expected
        for asked, cost in zip(made.calls, played.costs, strict=True)
    )

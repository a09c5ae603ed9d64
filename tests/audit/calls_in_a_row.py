"""Tool loops by hand, for tests of the prediction: each call follows the one before after a minute."""

from audit.histories import MINUTE, START, line, reply, tool
from underspend.core.history import Mark, MarkKind, Place, Result, Typed

HERE = Place(file="/t/s.jsonl", line=1)


def result(use, at, size=1000, images=0, row=1):
    return Result(at=at, place=Place(file="/t/s.jsonl", line=row), use_id=use, size=size, images=images)


def typed(at):
    return Typed(at=at, place=HERE, turn="p", size=10)


def mark(kind, at, **more):
    return Mark(at=at, place=HERE, kind=MarkKind(kind), **more)


def loop(*usages, gap=MINUTE, name="m", **more):
    """The events of a tool loop whose calls have these usages: (input, write 5m, write 1h, read, output)."""
    events = [typed(START)]
    for number, usage in enumerate(usages):
        at = START + number * gap + 5_000_000
        if number:
            events.append(result(f"{name}{number - 1}", at - 5_000_000))
        events.append(reply(f"{name}{number}", at, usage, tools=(tool("Bash", use=f"{name}{number}"),), **more))
    return events


STEADY = (
    (3, 10_000, 0, 5000, 50),
    (3, 400, 0, 15_000, 50),
    (3, 600, 0, 15_400, 50),
    (3, 700, 0, 16_000, 50),
)
"""A loop in which every call reads what the one before left behind."""

__all__ = ["HERE", "MINUTE", "START", "STEADY", "line", "loop", "mark", "reply", "result", "tool", "typed"]

"""Which timelines and turns of a history are simple work: side calls, exploring, reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cache

from underspend.advisors.rule_data import rules
from underspend.core.call import Role
from underspend.core.history import Answered, Timeline, Typed


class Work(StrEnum):
    """A kind of simple work; the value is the last part of its finding's id."""

    BACKGROUND = "background"
    EXPLORING_AGENTS = "exploring-agents"
    READING_SESSIONS = "reading-sessions"


def work_of(timeline: Timeline) -> Work | None:
    """The kind of simple work a whole timeline is, if it is one."""
    if timeline.role is Role.SIDE:
        return Work.BACKGROUND
    if timeline.role is Role.COMPACTION:
        return None
    if timeline.agent is not None or timeline.role is Role.SUBAGENT:
        types = rules("dear_models")
        if timeline.agent_type in types["deciding_agents"]:
            return None
        named = timeline.agent_type in types["exploring_agents"]
        return Work.EXPLORING_AGENTS if named or only_looks(_replies(timeline)) else None
    return Work.READING_SESSIONS if only_looks(_replies(timeline)) else None


def _replies(timeline: Timeline) -> Iterator[Answered]:
    # One by one: most sessions show with the first replies that they do more than look.
    return (event for event in timeline.events if type(event) is Answered)


def only_looks(replies: Iterable[Answered]) -> bool:
    """Whether tools were used and all of them only read."""
    looking, harmless = _tools()
    looked = False
    for reply in replies:
        for tool in reply.tools:
            if tool.name not in harmless:
                return False
            looked = looked or tool.name in looking
    return looked


@cache
def _tools() -> tuple[frozenset[str], frozenset[str]]:
    """The tools that look, and these together with those that do nothing either way."""
    known = rules("dear_models")
    return frozenset(known["looking"]), frozenset({*known["looking"], *known["neutral"]})


def turns(timeline: Timeline) -> Iterator[list[Answered]]:
    """The replies of each turn: from one prompt of a person to the next."""
    turn: list[Answered] = []
    for event in timeline.events:
        if type(event) is Answered:
            turn.append(event)
        elif turn and type(event) is Typed:
            yield turn
            turn = []
    if turn:
        yield turn

"""Replies in the neutral form, as events and put together from events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hypothesis import strategies as st

from formats.dialects.asks import ARGUMENTS, IDS, NAMES, WORDS
from underspend.core.usage import Usage
from underspend.formats.dialects.neutral import (
    Alive,
    Answer,
    Began,
    Ended,
    Event,
    More,
    Part,
    PartBegan,
    PartEnded,
    Problem,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolUse,
)

COUNTS = st.integers(0, 10_000)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """A reply that both Messages and Chat Completions can say."""
    uses = [ToolUse(use, draw(NAMES), draw(ARGUMENTS)) for use in draw(st.lists(IDS, max_size=3, unique=True))]
    words = [Text(draw(WORDS))] if not uses or draw(st.booleans()) else []
    output = draw(COUNTS)
    return Answer(
        id=draw(IDS),
        model=draw(WORDS),
        parts=(*words, *uses),
        stop=Stop.TOOLS if uses else draw(st.sampled_from([Stop.END, Stop.LENGTH, Stop.REFUSAL])),
        usage=Usage(draw(COUNTS), draw(COUNTS), 0, draw(COUNTS), output),
        thinking_tokens=draw(st.integers(0, output)),
    )


def events(answer: Answer) -> Iterator[Event]:
    """A reply as a stream, each part in pieces of three characters."""
    yield Began(answer.id, answer.model, Usage())
    for part in answer.parts:
        match part:
            case Text(words):
                yield from _pieces(Text(""), words)
            case Refusal(words):
                yield from _pieces(Refusal(""), words)
            case ToolUse(use, name, arguments):
                yield from _pieces(ToolUse(use, name, ""), arguments)
            case Thinking(words, signature):
                yield from _pieces(Thinking(redacted=part.redacted, dialect=part.dialect), words, signature)
    yield Ended(answer.stop, answer.usage, answer.stop_sequence, answer.thinking_tokens)


def _pieces(part: Any, words: str, signature: str = "") -> Iterator[Event]:
    yield PartBegan(part)
    yield from (More(words[at : at + 3]) for at in range(0, len(words), 3))
    yield PartEnded(signature)


def assembled(stream: Iterable[Event]) -> Answer | Problem:
    """The whole of a stream. Parts must begin and end in turn, and nothing may follow the end."""
    began: Began | None = None
    parts, open_part, words = list[Part](), None, list[str]()
    given = [event for event in stream if not isinstance(event, Alive)]
    for place, event in enumerate(given):
        match event:
            case Problem():
                assert place == len(given) - 1
                return event
            case Began():
                assert began is None
                began = event
            case PartBegan(part):
                assert began is not None
                assert open_part is None
                open_part, words = part, []
            case More(piece):
                assert open_part is not None
                words.append(piece)
            case PartEnded(signature):
                parts.append(_whole(open_part, "".join(words), signature))
                open_part = None
            case Ended():
                assert place == len(given) - 1
                assert open_part is None
                assert began is not None
                return Answer(
                    id=began.id,
                    model=began.model,
                    parts=tuple(parts),
                    stop=event.stop,
                    stop_sequence=event.stop_sequence,
                    usage=event.usage,
                    thinking_tokens=event.thinking_tokens,
                )
    raise AssertionError("the stream has no end")


def _whole(part: Any, words: str, signature: str) -> Part:
    match part:
        case ToolUse(use, name):
            return ToolUse(use, name, words or "{}")
        case Thinking():
            return Thinking(words, signature, part.redacted, part.dialect)
        case Refusal():
            return Refusal(words)
    return Text(words)

"""What the tests of the Responses and Gemini dialects share: requests and events of every kind."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from formats.recorded import script
from underspend.core.usage import Usage
from underspend.formats.dialects.neutral import (
    Answer,
    Ask,
    Began,
    Document,
    Ended,
    Event,
    Image,
    Message,
    More,
    Part,
    PartBegan,
    PartEnded,
    Refusal,
    Stop,
    Structured,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from underspend.formats.sse import SseParser
from underspend.formats.translation import Target

ROOT = Path(__file__).parents[2] / "fixtures" / "translation_more"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TARGET = Target(model="m", provider="openai")
ASK = Ask(model="m", messages=(Message("user", (Text("hello"),)),))
check = script("check_translation_more")

WORDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
_IDS = st.integers(0, 10**6).map("call_{}".format)
_CACHES = st.sampled_from([None, "5m", "1h"])
_OBJECTS = st.dictionaries(WORDS, st.one_of(WORDS, st.integers(-9, 9), st.booleans()), max_size=3).map(json.dumps)
_DATA = st.binary(min_size=1, max_size=9).map(lambda raw: base64.b64encode(raw).decode())
_TEXTS = st.builds(Text, WORDS, _CACHES)
_IMAGES = st.one_of(
    st.builds(Image, st.just("image/png"), _DATA, cache=_CACHES, detail=st.just("auto")),
    st.builds(Image, url=st.just("https://example.com/a.png"), cache=_CACHES, detail=st.just("low")),
)
_DOCUMENTS = st.one_of(
    st.builds(Document, st.just("application/pdf"), _DATA, title=st.just("a.pdf"), cache=_CACHES),
    st.builds(Document, url=st.just("https://example.com/a.pdf"), cache=_CACHES),
)
_REASONS = st.builds(Thinking, WORDS, st.just("gAAA"), dialect=st.just("responses"))
_USES = st.builds(ToolUse, _IDS, st.sampled_from(["weather", "read_file"]), _OBJECTS)
TOOLS = st.builds(
    Tool, st.sampled_from(["weather", "read_file"]), st.just(SCHEMA), st.sampled_from(["", "Says it."]), st.booleans()
)


@st.composite
def _turns(draw: st.DrawFn) -> tuple[Message, ...]:
    """User and assistant by turns, every tool use with its result."""
    messages: list[Message] = []
    waiting: list[ToolUse] = []
    for _ in range(draw(st.integers(1, 3))):
        results = tuple(
            ToolResult(
                use.id, tuple(draw(st.lists(st.one_of(st.builds(Text, WORDS), _IMAGES), min_size=1, max_size=2)))
            )
            for use in waiting
        )
        named = tuple(ToolResult(r.id, r.parts, name=use.name) for r, use in zip(results, waiting, strict=True))
        said = tuple(draw(st.lists(st.one_of(_TEXTS, _IMAGES, _DOCUMENTS), min_size=1, max_size=3)))
        messages.append(Message("user", (*named, *said)))
        waiting = draw(st.lists(_USES, max_size=2, unique_by=lambda use: use.id))
        before: tuple[Part, ...] = tuple(draw(st.lists(_REASONS, max_size=1)))
        messages.append(Message("assistant", (*before, Text(draw(WORDS)), *waiting)))
    return tuple(messages if not waiting else messages[:-1])


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    """Requests that the Responses API can say."""
    tools = tuple(draw(st.lists(TOOLS, max_size=2, unique_by=lambda tool: tool.name)))
    kinds = [None, ToolChoice("auto"), ToolChoice("any"), ToolChoice("none"), ToolChoice("tool", "weather")]
    return Ask(
        model="m",
        messages=draw(_turns()),
        system=tuple(draw(st.lists(st.builds(Text, WORDS), max_size=1))),
        tools=tools,
        choice=draw(st.sampled_from(kinds)) if tools else None,
        parallel=draw(st.sampled_from([None, True, False])),
        stream=draw(st.booleans()),
        max_output=draw(st.sampled_from([None, 100])),
        temperature=draw(st.sampled_from([None, 0.0, 0.5])),
        top_p=draw(st.sampled_from([None, 0.9])),
        structured=draw(st.sampled_from([None, Structured(), Structured(SCHEMA, "city", strict=True)])),
        thinking=draw(st.sampled_from([None, "off"])),
        user=draw(st.sampled_from([None, "u1"])),
        cache=draw(_CACHES),
    )


_PARTS = st.one_of(
    st.builds(Text, WORDS),
    st.builds(Thinking, WORDS, st.sampled_from(["", "sig"]), dialect=st.just("responses")),
    st.builds(Thinking, WORDS, st.just("sig"), dialect=st.just("gemini")),
    st.builds(Thinking, redacted=WORDS, dialect=st.just("anthropic")),
    st.builds(ToolUse, _IDS, st.sampled_from(["weather", "read_file"]), _OBJECTS),
    st.builds(Refusal, WORDS),
)
USAGES = st.builds(Usage, *[st.integers(0, 10**6)] * 5)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Whole replies, with the stop that their parts make."""
    parts = tuple(draw(st.lists(_PARTS, max_size=4)))
    if any(isinstance(part, ToolUse) for part in parts):
        stop = Stop.TOOLS
    else:
        stop = Stop.REFUSAL if any(isinstance(part, Refusal) for part in parts) else Stop.END
    usage = draw(USAGES)
    return Answer(
        id="resp_1",
        model="served",
        parts=parts,
        stop=draw(st.sampled_from([stop, Stop.LENGTH])),
        usage=usage,
        thinking_tokens=min(usage.output, 5),
    )


def told(answer: Answer) -> list[Event]:
    """The events that tell of an answer, each part in two pieces."""
    events: list[Event] = [Began(answer.id, answer.model)]
    for part in answer.parts:
        words, begun, signature = _words(part)
        events.append(PartBegan(begun))
        events += [More(piece) for piece in (words[: len(words) // 2], words[len(words) // 2 :]) if piece]
        events.append(PartEnded(signature))
    return [*events, Ended(answer.stop, answer.usage, thinking_tokens=answer.thinking_tokens)]


def _words(part: Part) -> tuple[str, Any, str]:
    match part:
        case ToolUse():
            return part.arguments, ToolUse(part.id, part.name, "", signature=part.signature), ""
        case Thinking():
            return part.text, Thinking(redacted=part.redacted, dialect=part.dialect), part.signature
        case Text() | Refusal():
            return part.text, type(part)(""), ""
        case _:
            raise AssertionError(part)


_NAMES = st.sampled_from(
    [
        *(
            "type",
            "role",
            "content",
            "text",
            "input",
            "output",
            "item",
            "part",
            "delta",
            "output_index",
            "content_index",
        ),
        *(
            "call_id",
            "name",
            "arguments",
            "summary",
            "encrypted_content",
            "tools",
            "tool_choice",
            "reasoning",
            "include",
        ),
        *("usage", "status", "error", "message", "response", "candidates", "parts", "functionCall", "partialArgs"),
        *("jsonPath", "stringValue", "finishReason", "promptFeedback", "blockReason", "usageMetadata", "thought"),
    ]
)
_WORDS_OF_THE_WIRE = st.sampled_from(
    [
        *(
            "message",
            "function_call",
            "reasoning",
            "input_image",
            "output_text",
            "refusal",
            "user",
            "assistant",
            "STOP",
        ),
        *("function_call_output", "response.output_item.done", "response.content_part.added", "response.completed"),
        *("response.output_text.delta", "completed", "$.a[0].b", "allowed_tools", "function", "x", ""),
    ]
)
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 10**12), st.floats(allow_nan=False), _WORDS_OF_THE_WIRE),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=5)),
    max_leaves=25,
)
"""JSON of the wire's own names and words, which means nothing."""


def payloads(stream: bytes) -> list[Any]:
    """The data of every event of a stream, as JSON."""
    parser = SseParser()
    return [json.loads(data) for data in (*parser.feed(stream), *parser.finish())]

"""Requests in the neutral form that Messages and Chat Completions can both say, whole."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st

from underspend.formats.dialects.neutral import (
    Ask,
    Document,
    Image,
    Message,
    Part,
    Structured,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)

UNTIMED = settings(deadline=None, max_examples=50)
"""A machine that is busy with other tests may take its time."""

WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).filter(str.strip)
IDS = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,39}", fullmatch=True).filter(lambda name: not name.startswith("uxid_"))
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
CLOSED = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "where"}, "days": {"type": "array", "items": {}}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
OPEN: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
ARGUMENTS = st.dictionaries(WORDS, st.one_of(WORDS, st.integers(-9, 9), st.booleans(), st.none()), max_size=3).map(
    lambda value: msgspec.json.encode(value).decode()
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
IMAGES = st.one_of(
    st.builds(Image, media_type=st.just("image/png"), data=st.just("iVBORw0KGgo=")),
    st.builds(Image, url=st.just("https://example.com/a.png")),
)
DOCUMENTS = st.builds(Document, media_type=st.just("application/pdf"), data=st.just("JVBERi0="), title=WORDS)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """User and assistant in turn; after calls come their results, each with the tool's name."""
    said, results = list[Message](), list[ToolResult]()
    for _ in range(draw(st.integers(1, 3))):
        media: list[Part] = draw(st.lists(st.one_of(IMAGES, DOCUMENTS), max_size=2)) if not results else []
        said.append(Message("user", (*results, *media, Text(draw(WORDS)))))
        if draw(st.booleans()):
            said.append(Message("system", (Text(draw(WORDS)),)))
        ids = draw(st.lists(IDS, max_size=3, unique=True))
        uses = [ToolUse(use, draw(NAMES), draw(ARGUMENTS)) for use in ids]
        words = [Text(draw(WORDS))] if not uses or draw(st.booleans()) else []
        said.append(Message("assistant", (*words, *uses)))
        results = [ToolResult(use.id, (Text(draw(WORDS)),), name=use.name) for use in uses]
    said.append(Message("user", (*results, Text(draw(WORDS)))))
    return tuple(said)


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    """A request that loses nothing in either dialect."""
    tools = tuple(
        Tool(name, *draw(st.sampled_from([(OPEN, ""), (CLOSED, "d")])), strict=None)
        for name in draw(st.lists(NAMES, max_size=3, unique=True))
    )
    tools = tuple(Tool(t.name, t.schema, t.description, True if t.schema is CLOSED else None) for t in tools)
    choices: list[ToolChoice | None] = [None]
    if tools:
        choices += [ToolChoice("auto"), ToolChoice("any"), ToolChoice("none"), ToolChoice("tool", tools[0].name)]
    choice = draw(st.sampled_from(choices))
    kind = choice.kind if choice is not None else None
    thoughts = [(None, None), ("off", None)] + ([] if kind in {"any", "tool"} else [("adaptive", "high")])
    thinking, effort = draw(st.sampled_from(thoughts))
    sampled: Any = {"temperature": 0.5} if thinking != "adaptive" and draw(st.booleans()) else {}
    return Ask(
        model=draw(WORDS),
        messages=draw(conversations()),
        system=draw(st.one_of(st.just(()), st.tuples(st.builds(Text, WORDS)))),
        tools=tools,
        choice=choice,
        parallel=draw(st.sampled_from([None, True, False])) if kind not in {None, "none"} else None,
        stream=draw(st.booleans()),
        max_output=draw(st.integers(1, 9999)),
        stop=tuple(draw(st.lists(WORDS, max_size=4, unique=True))),
        structured=draw(st.sampled_from([None, Structured(CLOSED, strict=True)])),
        thinking=thinking,  # type: ignore[arg-type]
        effort=effort,
        user=draw(st.one_of(st.none(), NAMES)),
        cache=draw(st.sampled_from([None, "5m", "1h"])),
        **sampled,
    )


def ask(*messages: Message, **more: Any) -> Ask:
    """A small request."""
    return Ask(model="m", messages=messages or (Message("user", (Text("hello"),)),), **more)


def body(**more: Any) -> bytes:
    """A small request's bytes, in either dialect."""
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}], **more}).encode()

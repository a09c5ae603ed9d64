from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.call import Block, Section
from underspend.formats import anthropic_blocks
from underspend.formats.anthropic_blocks import Anatomist, Anatomy

EPHEMERAL = {"type": "ephemeral"}
TOOL = {"name": "Read", "description": "reads", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "x"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "seven lines"}
PROMPT = {"role": "user", "content": "look at x"}


def anatomy(messages: Any = (), *, tools: Any = (), system: Any = (), by: Anatomist | None = None) -> Anatomy:
    raw = [json.dumps(list(part) if isinstance(part, tuple) else part).encode() for part in (tools, system, messages)]
    return (by or Anatomist()).anatomy(tools=raw[0], system=raw[1], messages=raw[2])


def only(message: Any) -> Block:
    (block,) = anatomy([message]).blocks
    return block


def test_blocks_stand_in_cache_order() -> None:
    blocks = anatomy([PROMPT], tools=[TOOL], system=[{"type": "text", "text": "be brief"}]).blocks
    assert [(block.section, block.kind, block.label) for block in blocks] == [
        (Section.TOOLS, "tool", "Read"),
        (Section.SYSTEM, "text", "system"),
        (Section.MESSAGES, "text", "user"),
    ]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS)
def test_a_string_is_a_list_of_one_text_block(text: str) -> None:
    as_list = {"role": "user", "content": [{"type": "text", "text": text, "cache_control": EPHEMERAL}]}
    alone, listed = only({"role": "user", "content": text}), only(as_list)
    assert (alone.digest, alone.size, alone.tokens) == (listed.digest, listed.size, listed.tokens)
    assert (alone.breakpoint, listed.breakpoint) == (None, "5m")
    system = anatomy(system=text).blocks, anatomy(system=[{"text": text, "type": "text"}]).blocks
    assert system[0] == system[1]


@given(TEXTS, TEXTS)
def test_other_text_or_another_role_is_another_digest(one: str, two: str) -> None:
    digests = {only({"role": role, "content": text}).digest for role in ("user", "assistant") for text in (one, two)}
    assert len(digests) == (2 if one == two else 4)


@pytest.mark.parametrize(
    ("control", "ttl"),
    [
        (EPHEMERAL, "5m"),
        ({**EPHEMERAL, "ttl": "1h"}, "1h"),
        ({**EPHEMERAL, "ttl": "5m"}, "5m"),
        (None, None),
        ([], None),
    ],
)
def test_a_breakpoint_is_read_and_is_not_in_the_digest(control: Any, ttl: str | None) -> None:
    marked, bare = anatomy(tools=[{**TOOL, "cache_control": control}]).blocks[0], anatomy(tools=[TOOL]).blocks[0]
    assert marked.breakpoint == ttl
    assert marked.digest == bare.digest


@given(st.permutations([*RESULT.items(), ("is_error", True), ("cache_control", EPHEMERAL)]))
def test_the_order_of_keys_does_not_matter(pairs: list[tuple[str, Any]]) -> None:
    expected = only({"role": "user", "content": [{**RESULT, "is_error": True}]})
    assert only({"role": "user", "content": [dict(pairs)]}).digest == expected.digest


def test_a_result_is_named_after_its_tool() -> None:
    blocks = anatomy([{"role": "assistant", "content": [USE]}, {"role": "user", "content": [RESULT]}]).blocks
    assert [(block.kind, block.label, block.ref) for block in blocks] == [
        ("tool_use", "Read", "toolu_1"),
        ("tool_result", "Read result", "toolu_1"),
    ]
    assert only({"role": "user", "content": [RESULT]}).label == "user"


def test_a_deferred_tool_is_told_apart() -> None:
    blocks = anatomy(tools=[{**TOOL, "defer_loading": True}, {"type": "bash_20250124"}]).blocks
    assert [(block.kind, block.label) for block in blocks] == [("deferred_tool", "Read"), ("tool", "tool")]


PARTS = st.sampled_from([USE, RESULT, {"type": "text", "text": "a"}, {"type": "image", "source": {}}, {}, 7])
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]), "content": st.lists(PARTS, max_size=3) | TEXTS}
    ),
    max_size=6,
)


@given(st.lists(MESSAGES, max_size=4))
def test_memory_changes_nothing(conversations: list[Any]) -> None:
    remembering = Anatomist()
    for messages in conversations:
        parts = {"tools": [TOOL], "system": "s"}
        assert anatomy(messages, **parts, by=remembering) == anatomy(messages, **parts)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic_blocks, "_MEMO_ENTRIES", 3)
    remembering = Anatomist()
    for number in range(50):
        message = {"role": "user", "content": f"{number % 7}"}
        assert anatomy([message], by=remembering) == anatomy([message])
    assert len(remembering._memo) == 3


@given(MESSAGES, MESSAGES)
def test_a_longer_conversation_keeps_the_digests_of_its_beginning(before: Any, after: Any) -> None:
    short, long = anatomy(before).blocks, anatomy([*before, *after]).blocks
    assert [block.digest for block in long[: len(short)]] == [block.digest for block in short]


def test_the_turn_lasts_as_long_as_its_tool_loop() -> None:
    loop: list[Any] = [PROMPT]
    first = anatomy(loop).turn
    assert first is not None
    for number in range(3):
        loop.append({"role": "assistant", "content": [{**USE, "id": f"toolu_{number}"}]})
        loop.append({"role": "user", "content": [{**RESULT, "tool_use_id": f"toolu_{number}"}]})
        loop.append({"role": "system", "content": "a reminder"})
        assert anatomy(loop).turn == first
    loop[0] = {"role": "user", "content": [{"type": "text", "text": PROMPT["content"], "cache_control": EPHEMERAL}]}
    assert anatomy(loop).turn == first
    loop += [{"role": "assistant", "content": "done"}, PROMPT]
    assert anatomy(loop).turn not in {first, None}


def test_no_prompt_no_turn() -> None:
    assert anatomy([]).turn is None
    assert anatomy([{"role": "user", "content": [RESULT]}]).turn is None


SECRET = "the quick brown fox"
HIDING = st.recursive(
    st.just(SECRET),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "input", "source", "title", "data"]), inner, min_size=1
        )
    ),
    max_leaves=6,
)


@given(HIDING, HIDING, HIDING)
def test_no_text_of_a_prompt_is_in_a_block(one: Any, two: Any, three: Any) -> None:
    """But for names of tools, types and ids, which are the protocol's and not the user's."""
    blocks = anatomy(
        [{"role": "user", "content": one if isinstance(one, str) else [one]}, {"role": "user", "content": two}],
        system=[three] if isinstance(three, dict) and not isinstance(three.get("type"), str) else SECRET,
        tools=[{"name": "t", "description": SECRET, "input_schema": {"d": two}}],
    ).blocks
    typed = {part["type"] for part in (one, two) if isinstance(part, dict) and isinstance(part.get("type"), str)}
    typed |= (
        {p["type"] for p in two if isinstance(p, dict) and isinstance(p.get("type"), str)}
        if isinstance(two, list)
        else set()
    )
    for block in blocks:
        assert SECRET not in block.label
        assert SECRET not in (block.ref or "")
        assert SECRET not in block.kind or SECRET in typed


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"{",
        b"7",
        b"\xff",
        b'["\xff"]',
        b"[" * 100_000,
        b"[1e999]",
        b'[{"a":' + b"[" * 9999 + b"]" * 9999 + b"}]",
    ],
)
def test_parts_that_are_no_json_have_no_blocks(raw: bytes) -> None:
    for name in ("tools", "system", "messages"):
        parts = {"tools": b"[]", "system": b"[]", "messages": b"[]", name: raw}
        assert Anatomist().anatomy(**parts) == Anatomy()

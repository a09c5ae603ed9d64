from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.audit import wire_prompt
from underspend.core.call import Block, Section, Verb
from underspend.formats import anthropic_blocks
from underspend.formats.anthropic_blocks import Anatomist, Anatomy
from underspend.promptcache import facts

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


def test_the_order_of_keys_inside_an_input_or_a_schema_is_content() -> None:
    one, other = ({**USE, "input": dict(pairs)} for pairs in ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)]))
    assert (
        only({"role": "assistant", "content": [one]}).digest != only({"role": "assistant", "content": [other]}).digest
    )
    schemas = [{**TOOL, "input_schema": dict(pairs)} for pairs in ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)])]
    assert len({anatomy(tools=[each]).blocks[0].digest for each in schemas}) == 2


def test_a_result_says_the_same_in_either_notation_and_for_any_use() -> None:
    listed = {**RESULT, "content": [{"type": "text", "text": RESULT["content"]}]}
    other = {**RESULT, "tool_use_id": "toolu_2"}
    blocks = [
        only({"role": "user", "content": [part]}) for part in (RESULT, listed, {**RESULT, "is_error": None}, other)
    ]
    assert len({block.digest for block in blocks[:3]}) == 1
    assert blocks[3].digest != blocks[0].digest
    assert len({block.says for block in blocks}) == 1
    assert only(PROMPT).says is None


def test_a_block_knows_its_message_and_what_its_tool_did() -> None:
    use = {**USE, "input": {"file_path": "/a", "offset": 5, "limit": 9}}
    blocks = anatomy([PROMPT, {"role": "assistant", "content": [use]}, {"role": "user", "content": [RESULT]}]).blocks
    assert [(block.message, block.role, block.verb, block.span) for block in blocks] == [
        (0, "user", None, (0, 0)),
        (1, "assistant", Verb.READ, (5, 9)),
        (2, "user", Verb.READ, (5, 9)),
    ]
    assert blocks[1].subject == blocks[2].subject is not None
    failed = anatomy(
        [{"role": "assistant", "content": [use]}, {"role": "user", "content": [{**RESULT, "is_error": True}]}]
    )
    assert [block.is_error for block in failed.blocks] == [False, True]
    assert [block.message for block in anatomy(system="s", tools=[TOOL]).blocks] == [-1, -1]


def test_an_empty_text_has_no_tokens() -> None:
    assert only({"role": "user", "content": [{"type": "text", "text": ""}]}).tokens == 0


def test_a_breakpoint_inside_a_result_is_the_results() -> None:
    inner = {"type": "text", "text": "x", "cache_control": {**EPHEMERAL, "ttl": "1h"}}
    assert only({"role": "user", "content": [{**RESULT, "content": [inner]}]}).breakpoint == "1h"


EFFORT = {"role": "system", "content": [], "output_config": {"effort": "low"}}
LATE = {"name": "Late", "description": "found", "defer_loading": True}
FOUND = {**RESULT, "content": [{"type": "tool_reference", "tool_name": "Late"}]}
BODIES: list[dict[str, Any]] = [
    {"system": "s", "tools": [TOOL], "messages": [PROMPT]},
    {"system": [{"type": "text", "text": "s", "cache_control": EPHEMERAL}], "tools": [TOOL], "messages": [PROMPT]},
    {"messages": [PROMPT, EFFORT, PROMPT]},
    {"messages": [PROMPT, PROMPT]},
    {"messages": [{**PROMPT, "output_config": {"effort": "low"}}, {"role": "assistant", "content": [USE]}]},
    {
        "tools": [TOOL, LATE],
        "messages": [PROMPT, {"role": "assistant", "content": [USE]}, {"role": "user", "content": [FOUND]}],
    },
    {"tools": [TOOL, {**LATE, "description": "other"}], "messages": [{"role": "user", "content": [FOUND]}]},
    {
        "messages": [
            {"role": "user", "content": [RESULT, {**RESULT, "content": [{"text": "seven lines", "type": "text"}]}]}
        ]
    },
]


def test_blocks_are_equal_where_the_prompt_cache_takes_them_for_equal() -> None:
    """Two views of a body must agree: the blocks that strategies see and the prompt that the simulated cache sees."""
    named: dict[bytes, object] = {}
    found: dict[object, bytes] = {}
    for body in BODIES:
        parts = {key: body.get(key, []) for key in ("tools", "system")}
        blocks = [block for block in anatomy(body["messages"], **parts).blocks if block.kind != "deferred_tool"]
        seen = list(wire_prompt._pieces(body, facts("claude-opus-4-5-20251101"), lambda _: 1))
        assert len(seen) == len(blocks)
        for block, piece in zip(blocks, seen, strict=True):
            assert named.setdefault(block.digest, piece.identity) == piece.identity
            assert found.setdefault(piece.identity, block.digest) == block.digest

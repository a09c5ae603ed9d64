from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calls import call, result
from underspend.core.call import Block, Section
from underspend.core.editing import apply, apply_all
from underspend.core.edits import (
    ContentEdit,
    DropMessages,
    ReplaceContent,
    ReplaceMessages,
    SetBreakpoint,
    SetEffort,
    SetMaxOutput,
    SetModel,
    ShortenContent,
)

SYSTEM = Block(Section.SYSTEM, "text", "system", b"s", 35, 10)
BLOCKS = (SYSTEM, *(result(f"t{number}", message=number) for number in range(4)))
CALL = call(blocks=BLOCKS, prompt_tokens=90)


def test_settings_are_set() -> None:
    assert apply(SetModel("cheap", why=""), CALL).model == "cheap"
    assert apply(SetMaxOutput(5, why=""), CALL).max_output == 5
    assert apply(SetEffort("low", why=""), CALL).effort == "low"


def test_a_breakpoint_changes_nothing_else() -> None:
    edited = apply(SetBreakpoint(2, "1h", why=""), CALL)
    assert edited.blocks == (*BLOCKS[:2], replace(BLOCKS[2], breakpoint="1h"), *BLOCKS[3:])
    assert edited.prompt_tokens == 90


def test_other_content_is_counted_and_marked() -> None:
    edited = apply(ReplaceContent(1, "as above", 3, why=""), CALL)
    assert (edited.blocks[1].tokens, edited.blocks[1].edited, edited.prompt_tokens) == (3, True, 73)
    assert edited.blocks[1].digest != BLOCKS[1].digest
    assert edited.blocks[1].ref == "t0"
    with pytest.raises(IndexError):
        apply(ReplaceContent(9, "as above", 3, why=""), CALL)


def test_what_is_replaced_leaves_nothing_behind() -> None:
    """A block that was shortened and is now replaced is the one that will be replaced outright from now on."""
    short, other = ShortenContent(1, 5, 5, 4, why=""), ReplaceContent(1, "gone", 1, why="")
    assert apply(other, apply(short, CALL)).blocks == apply(other, CALL).blocks


def test_other_edits_make_other_blocks() -> None:
    edits: list[ContentEdit] = [
        ShortenContent(1, 5, 5, 4, why=""),
        ShortenContent(1, 5, 6, 4, why=""),
        ReplaceContent(1, "a", 4, why=""),
        ReplaceContent(1, "b", 4, why=""),
    ]
    assert len({apply(edit, CALL).blocks[1].digest for edit in edits}) == 4
    same = ReplaceContent(1, "a", 4, why=""), ReplaceContent(2, "a", 4, why="")
    assert len({apply(edit, CALL).blocks[edit.at].digest for edit in same}) == 2
    assert len({apply(edit, CALL).blocks[edit.at].says for edit in same}) == 1


def test_messages_go_whole_and_the_rest_keeps_its_numbers() -> None:
    edited = apply(DropMessages(1, 2, why=""), CALL)
    assert edited.blocks == (SYSTEM, BLOCKS[1], BLOCKS[4])
    assert [block.message for block in edited.blocks] == [-1, 0, 3]
    assert edited.prompt_tokens == 50


def test_one_message_stands_for_several() -> None:
    edited = apply(ReplaceMessages(1, 2, "a summary", 3, why=""), CALL)
    assert [block.message for block in edited.blocks] == [-1, 0, 1, 3]
    made = edited.blocks[2]
    assert (made.kind, made.role, made.tokens, made.edited) == ("text", "assistant", 3, True)
    assert edited.prompt_tokens == 53
    assert apply(ReplaceMessages(1, 2, "another", 3, why=""), CALL).blocks[2].digest != made.digest
    assert apply(ReplaceMessages(7, 8, "a summary", 3, why=""), CALL) is CALL


EDITS = st.builds(
    ReplaceContent, st.integers(0, 4), st.text(max_size=3), st.integers(0, 20), why=st.just("")
) | st.builds(ShortenContent, st.integers(0, 4), st.integers(0, 9), st.integers(0, 9), st.integers(0, 20), st.just(""))


@given(st.lists(EDITS, max_size=6))
def test_all_at_once_is_one_after_the_other(edits: list[ContentEdit]) -> None:
    expected = CALL
    for edit in edits:
        expected = apply(edit, expected)
    assert apply_all(edits, CALL) == expected

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisors.scenes import advise, assert_sound, histories, line, mark, reply, result, use
from underspend.advisors.redundant_reads import RedundantReads
from underspend.core.advisor import Finding
from underspend.core.history import Event, History, MarkKind, Result, ToolUse


@given(histories(), st.integers(0, 5))
def test_it_is_sound(told: History, seed: int) -> None:
    assert_sound(RedundantReads(), told, seed)


def read(use_id: str, target: str = "/a", **more: Any) -> ToolUse:
    return use(use_id, "Read", target, **more)


def text(use_id: str, digest: bytes = b"x", **more: Any) -> Result:
    return result(use_id, 3_500, digest=digest, **more)


def twice(
    first: ToolUse, second: ToolUse, *between: Event, one: Result | None = None, two: Result | None = None
) -> Finding | None:
    found = advise(
        RedundantReads(),
        line(
            reply("a", 1, w5=10_000, tools=(first,)),
            one or text("u"),
            *between,
            reply("b", 2, read=10_000, w5=1_000, tools=(second,)),
            two or text("v"),
            reply("c", 3, read=11_000, w5=1_000),
            reply("d", 4, read=12_000, w5=10),
        ),
    )
    return found.get("redundant-reads/same-range")


def test_the_second_copy_costs_its_entry_and_its_stay() -> None:
    found = twice(read("u"), read("v"))
    assert found is not None
    assert found.amount == 1_000 * 125 + 1_000 * 10
    (row,) = found.rows
    assert (row["file"], row["tokens"], row["calls carried"]) == ("/a", 1_000, 2)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (read("u"), read("v", "/b")),
        (read("u"), read("v", first_line=10)),
        (read("u", line_count=10), read("v", line_count=20)),
        (use("u", "Bash", "cat /a"), use("v", "Bash", "cat /a")),
        (read("u", ""), read("v", "")),
    ],
)
def test_other_files_ranges_and_tools_are_not_the_same(first: ToolUse, second: ToolUse) -> None:
    assert twice(first, second) is None


def test_other_content_is_not_the_same() -> None:
    assert twice(read("u"), read("v"), two=text("v", b"y")) is None
    assert twice(read("u"), read("v"), one=text("u", b""), two=text("v", b"")) is None
    assert twice(read("u"), read("v"), one=text("u", is_error=True), two=text("v", is_error=True)) is None


def test_a_client_that_says_unchanged_costs_nothing() -> None:
    stub = {"size": 120, "digest": b"x"}
    assert twice(read("u"), read("v"), one=result("u", **stub), two=result("v", **stub)) is None


@pytest.mark.parametrize("kind", [MarkKind.COMPACTION, MarkKind.MICROCOMPACTION, MarkKind.CLEAR])
def test_what_has_left_the_context_may_be_read_again(kind: MarkKind) -> None:
    events = (mark(kind), reply("x", 1, read=10_000, w5=1_000), mark(kind))
    assert twice(read("u"), read("v"), *events) is None


def test_after_an_edit_it_may_be_read_again() -> None:
    events = [reply("e", 1, read=10_000, w5=500, tools=(use("e", "Edit", "/a"),)), result("e", 20)]
    assert twice(read("u"), read("v"), *events) is None
    other = [reply("e", 1, read=10_000, w5=500, tools=(use("e", "Edit", "/b"),)), result("e", 20)]
    assert twice(read("u"), read("v"), *other) is not None

from __future__ import annotations

from typing import get_args

import pytest

from core.calls import call, result
from underspend.core.edits import (
    DropMessages,
    Edit,
    RefusalKind,
    Refuse,
    ReplaceContent,
    ReplaceMessages,
    SetBreakpoint,
    SetEffort,
    SetMaxOutput,
    SetModel,
    ShortenContent,
    Warn,
    alters_meaning,
    changes,
)
from underspend.core.engine import apply

ASKED = call(blocks=(result(breakpoint="5m"),), max_output=100, effort="high")
EXAMPLES: list[tuple[Edit, bool, bool]] = [
    (SetModel("cheap", why="w"), True, True),
    (SetModel("dear", why="w"), True, False),
    (SetBreakpoint(0, "1h", why="w"), False, True),
    (SetBreakpoint(0, "5m", why="w"), False, False),
    (SetBreakpoint(1, "5m", why="w"), False, False),
    (ReplaceContent(0, "as above", 3, why="w"), True, True),
    (ReplaceContent(-1, "as above", 3, why="w"), True, False),
    (ShortenContent(0, 10, 5, 6, why="w"), True, True),
    (ShortenContent(7, 10, 5, 6, why="w"), True, False),
    (DropMessages(1, 2, why="w"), True, True),
    (DropMessages(3, 9, why="w"), True, False),
    (ReplaceMessages(1, 2, "a summary", 3, why="w"), True, True),
    (ReplaceMessages(3, 9, "a summary", 3, why="w"), True, False),
    (SetMaxOutput(50, why="w"), True, True),
    (SetMaxOutput(100, why="w"), True, False),
    (SetEffort("low", why="w"), True, True),
    (SetEffort("high", why="w"), True, False),
    (Warn(why="w"), False, True),
    (Refuse(RefusalKind.BUDGET, why="w"), False, True),
]


@pytest.mark.parametrize(("edit", "meaning", "change"), EXAMPLES)
def test_what_an_edit_does(edit: Edit, *, meaning: bool, change: bool) -> None:
    assert alters_meaning(edit) is meaning
    assert changes(edit, ASKED) is change
    stands = not hasattr(edit, "at") or edit.at == 0
    assert change or not stands or apply(edit, ASKED) == ASKED


def test_every_edit_has_an_example_and_says_why() -> None:
    shapes = {type(edit) for edit, _, _ in EXAMPLES}
    content = {ReplaceContent, ShortenContent}
    assert shapes == {kind for part in get_args(Edit) for kind in get_args(part) or (part,)}
    assert content <= shapes
    assert all(edit.why == "w" for edit, _, _ in EXAMPLES)

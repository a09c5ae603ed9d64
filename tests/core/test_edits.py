from __future__ import annotations

from typing import get_args

import pytest

from core.calls import call
from underspend.core.edits import Edit, RefusalKind, Refuse, SetModel, Warn, alters_meaning, changes
from underspend.core.engine import apply

EXAMPLES: list[tuple[Edit, bool, bool]] = [
    (SetModel("cheap", why="w"), True, True),
    (SetModel("dear", why="w"), True, False),
    (Warn(why="w"), False, True),
    (Refuse(RefusalKind.BUDGET, why="w"), False, True),
]


@pytest.mark.parametrize(("edit", "meaning", "change"), EXAMPLES)
def test_what_an_edit_does(edit: Edit, *, meaning: bool, change: bool) -> None:
    assert alters_meaning(edit) is meaning
    assert changes(edit, call()) is change
    assert change or apply(edit, call()) == call()


def test_every_edit_has_an_example_and_says_why() -> None:
    assert {type(edit) for edit, _, _ in EXAMPLES} == set(get_args(Edit))
    assert all(edit.why == "w" for edit, _, _ in EXAMPLES)

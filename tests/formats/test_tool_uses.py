from __future__ import annotations

from typing import Any

import pytest

from underspend.core.call import Verb
from underspend.formats.tool_uses import span_of, subject_of, verb_of


@pytest.mark.parametrize(
    ("tool", "verb"),
    [
        ("Read", Verb.READ),
        ("mcp__files__read", Verb.READ),
        ("MultiEdit", Verb.EDIT),
        ("Write", Verb.EDIT),
        ("Bash", Verb.RUN),
        ("Grep", Verb.SEARCH),
        ("WebFetch", Verb.FETCH),
        ("Agent", Verb.AGENT),
        ("Task", Verb.AGENT),
        ("Reader", Verb.OTHER),
        ("", Verb.OTHER),
    ],
)
def test_a_tool_does_what_its_name_says(tool: str, verb: Verb) -> None:
    assert verb_of(tool) is verb


def test_a_file_is_the_same_however_it_is_used() -> None:
    read = subject_of(Verb.READ, {"file_path": "/a", "offset": 3})
    assert read == subject_of(Verb.EDIT, {"file_path": "/a", "old_string": "x"})
    assert read == subject_of(Verb.READ, {"path": "/a"})
    assert read != subject_of(Verb.READ, {"file_path": "/b"})


def test_a_command_is_the_same_only_with_all_that_was_asked() -> None:
    search = {"pattern": "x", "path": "/a"}
    assert subject_of(Verb.SEARCH, search) == subject_of(Verb.SEARCH, dict(search))
    assert subject_of(Verb.SEARCH, search) != subject_of(Verb.SEARCH, {**search, "path": "/b"})
    assert [subject_of(verb, {}) for verb in Verb] == [None] * len(Verb)


@pytest.mark.parametrize(
    ("verb", "given", "span"),
    [
        (Verb.READ, {"offset": 10, "limit": 20}, (10, 20)),
        (Verb.READ, {"view_range": [10, 20]}, (10, 11)),
        (Verb.READ, {"offset": "10", "limit": None}, (0, 0)),
        (Verb.READ, {"view_range": [5]}, (0, 0)),
        (Verb.RUN, {"offset": 10}, (0, 0)),
    ],
)
def test_the_lines_of_a_read(verb: Verb, given: dict[str, Any], span: tuple[int, int]) -> None:
    assert span_of(verb, given) == span

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.audit.memory_imports import imports_of, is_excluded, is_scoped

HERE, HOME = Path("/p/docs"), Path("/home/u")


def found(text):
    return [str(path) for path in imports_of(text, HERE, HOME)]


def test_relative_absolute_and_home_paths():
    text = "See @a.md and @./b/c.md.\n@/etc/d.md\n- @~/e.md @../f.md @AGENTS.md"
    assert found(text) == [
        "/p/docs/a.md",
        "/p/docs/b/c.md.",
        "/etc/d.md",
        "/home/u/e.md",
        "/p/docs/../f.md",
        "/p/docs/AGENTS.md",
    ]


def test_spaces_are_escaped_and_an_anchor_is_no_part_of_the_path():
    assert found("@my\\ notes.md @b.md#section") == ["/p/docs/my notes.md", "/p/docs/b.md"]


@pytest.mark.parametrize(
    "text",
    [
        "write to me@example.com",
        "`@a.md` and ``x @b.md``",
        "```\n@a.md\n```",
        "~~~\n@a.md\n~~~",
        "<!--\n@a.md\n-->",
        "text <!-- @a.md --> text",
        "@ a.md",
        "@@scope",
        "@#x @/ @(x)",
    ],
)
def test_what_is_no_import(text):
    assert found(text) == []


def test_a_backtick_alone_hides_nothing():
    assert found("a ` b @c.md") == ["/p/docs/c.md"]


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("---\npaths:\n  - a\n---\nx", True),
        ("\ufeff---\r\npaths: a\r\n---\r\n", True),
        ("---\ntitle: x\n---\npaths: a", False),
        ("paths: a", False),
        ("", False),
        ("---\n# paths: a", False),
    ],
)
def test_rules_for_some_files_only(text, is_it):
    assert is_scoped(text) is is_it


@pytest.mark.parametrize(
    ("pattern", "is_it"),
    [
        ("/w/team/CLAUDE.md", True),
        ("**/team/CLAUDE.md", True),
        ("**/CLAUDE.md", True),
        ("/w/**", True),
        ("/w/*/CLAUDE.md", True),
        ("/w/te?m/CLAUDE.md", True),
        ("/w/[s-u]eam/CLAUDE.md", True),
        ("/w/[!t]eam/CLAUDE.md", False),
        ("/w/{other,team}/CLAUDE.{md,txt}", True),
        ("/w/*", False),
        ("CLAUDE.md", False),
        ("/w/team/CLAUDE+md", False),
        ("/w/team/[", False),
    ],
)
def test_globs_over_whole_paths(pattern, is_it):
    assert is_excluded(Path("/w/team/CLAUDE.md"), [pattern]) is is_it


@given(st.text(), st.text())
def test_any_text_and_any_pattern(text, pattern):
    list(imports_of(text, HERE, HOME))
    is_scoped(text)
    is_excluded(HERE, [pattern])

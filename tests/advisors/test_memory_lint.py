import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.advisors.memory_lint import lint

LEAN = """# Shop

## Stack
- TypeScript 5.9, Next.js 16, PostgreSQL 18

## Conventions
- Errors cross the API as problem+json
- Money is an integer of cents

## Never
- Edit a migration that is on main

## Commands
- `pnpm dev`, `pnpm test --filter web`
"""


def rules(text, path="CLAUDE.md"):
    return [(remark.line, remark.rule) for remark in lint(text, path) if not remark.optional]


def missing(text, path="CLAUDE.md"):
    return [
        remark.message.split("“")[1].split("”")[0] for remark in lint(text, path) if remark.rule == "missing-section"
    ]


def test_a_lean_file_is_clean():
    assert lint(LEAN, "CLAUDE.md") == []
    assert lint("", "CLAUDE.md") == []


@pytest.mark.parametrize(
    "line",
    [
        "Write clean code.",
        "- Always write clean, maintainable code",
        "Follow best practices",
        "- Use meaningful variable names",
        "You are a senior software engineer",
        "- Handle errors gracefully.",
        "- Follow SOLID principles",
        "- DRY (don't repeat yourself)",
        "Think step by step before answering",
        "- Write comprehensive tests",
    ],
)
def test_generic_advice(line):
    assert rules(line) == [(1, "generic-advice")]


@pytest.mark.parametrize(
    "line",
    [
        "Use the Read tool to open files",
        "- Prefer ripgrep for searching",
        "Read files before editing them",
        "You are Claude, an assistant",
        "- Use 2 spaces for indentation",
        "Max line length: 100",
        "- use single quotes",
    ],
)
def test_what_tools_tell_already(line):
    assert "known-to-tools" in {rule for _, rule in rules(line)}


@pytest.mark.parametrize(
    "line",
    [
        "We used Express until April 2024",
        "- since Q1 2025 the API is versioned",
        "The team decided in 2023 to drop Redux",
        "- 2024-05-01: moved to pnpm",
        "## Changelog",
        "we used to deploy by hand",
    ],
)
def test_dated_decisions(line):
    assert "dated-decision" in {rule for _, rule in rules(line)}


@pytest.mark.parametrize("line", ["~~Use tabs everywhere~~", "// - no mocks", "# - old rule", "- [disabled] no mocks"])
def test_commented_out_rules(line):
    assert (1, "commented-out") in rules(line)


@pytest.mark.parametrize(
    "line",
    [
        "Last updated: 2026-10-01",
        "Version: 2.3.1",
        "Current branch: main",
        "Branch: `feature/login-2`",
        "- [ ] finish the migration",
        "TODO: write this",
        "## Current status",
        "Paper status (2026-10-09): submitted",
        "We are currently working on billing",
    ],
)
def test_volatile_content(line):
    assert "volatile" in {rule for _, rule in rules(line)}


@pytest.mark.parametrize(
    "line",
    [
        "- Python 3.13, Django 6.0",
        "- Never import from `internal/`",
        "- Names of handlers end in `_handler`",
        "- Run `make test` before a commit",
        "Keep `main` green and deployable.",
        "- clean code lives in `src/clean`",
        "- Use `read_file` from `io.py`, never `open`",
    ],
)
def test_what_helps_is_left_alone(line):
    assert rules(line) == []


def test_a_heading_that_is_volatile_takes_its_section():
    remark = next(remark for remark in lint("# A\n## TODO\n1. x\n2. y\n## B\n", "CLAUDE.md") if not remark.optional)
    assert (remark.line, remark.last_line, remark.section) == (2, 4, "TODO")


def test_code_blocks_are_not_prose():
    assert rules("```\n// write clean code\n- [ ] x\n```") == []


def test_a_file_tree_is_one_remark():
    text = "## Layout\n```\nsrc\n├── a.py\n├── b\n│   └── c.py\n└── d.py\n```\n"
    found = [remark for remark in lint(text, "CLAUDE.md") if remark.rule == "file-tree"]
    assert [(remark.line, remark.last_line) for remark in found] == [(4, 7)]
    assert rules("a ├── b\n") == []


def test_length():
    assert rules("x\n" * 400) == []
    found = [remark for remark in lint("x\n" * 1500, "CLAUDE.md") if remark.rule == "too-long"]
    assert [(remark.line, remark.last_line) for remark in found] == [(401, 1500)]
    assert "1500 lines; keep to 200–400" in found[0].message


def test_html_comments_cost_nothing_now():
    found = lint(f"{LEAN}<!--\n- old rule\n-->\n", "CLAUDE.md")
    assert [(remark.rule, remark.optional, remark.last_line - remark.line) for remark in found] == [
        ("commented-out", True, 2)
    ]
    assert "since Claude Code 2.1.72" in found[0].message
    assert rules("<!-- a -->\n" * 500) == []


def test_duplicates():
    body = "- Money is always an integer number of cents, never a float\n"
    assert rules(f"## A\n{body}## B\n{body}") == [(3, "duplicate")]
    assert rules(f"## A\n{body}- Something else\n## B\n{body}") == [(5, "duplicate")]
    assert rules("- short\n- short\n") == []


def test_lists_that_are_too_long():
    assert rules("## Conventions\n" + "- a\n" * 11) == [(12, "too-many-rules")]
    assert rules("## Conventions\n" + "- a\n" * 10) == []
    assert rules("## Never do\n" + "- a\n" * 6) == [(7, "too-many-nevers")]
    assert rules("## Don’t\n" + "1. a\n" * 6) == [(7, "too-many-nevers")]


def test_what_the_lean_template_has_and_this_file_lacks():
    assert missing("Hello\n") == ["Commands", "Conventions", "Never", "Stack"]
    assert missing("## Tech stack\n**Commands**: make\n") == ["Conventions", "Never"]
    assert missing("Hello\n", "x/CLAUDE.local.md") == []
    assert missing("\n\n") == []


@given(st.text() | st.text(alphabet="#-*` \n<!->~├|0123/abTODO:[]"))
def test_any_text_is_linted(text):
    count = len(text.split("\n"))
    for remark in lint(text, "CLAUDE.md"):
        assert 1 <= remark.line <= remark.last_line <= count


@pytest.mark.parametrize("piece", ["<!--", "use the ", " ", "a ", "- ", "`", "#", "write a, "])
def test_long_lines_and_long_files_take_no_time(piece):
    began = time.process_time()
    lint(piece * 100_000, "CLAUDE.md")
    lint((piece + "\n") * 20_000, "CLAUDE.md")
    assert time.process_time() - began < 8

import json

import pytest
from click.testing import CliRunner

from underspend.cli.lint import command

BAD = "## Stack\nRust\n\nWrite clean code.\n"
CLEAN = "## Stack\nRust\n## Conventions\n- a\n## Never\n- b\n## Commands\n- c\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(command, arguments)


def test_remarks_as_a_linter_prints_them(project):
    (project / "CLAUDE.md").write_text(BAD)
    found = run()
    assert found.exit_code == 1
    assert "CLAUDE.md:4 generic-advice generic advice: the model does this unasked" in found.stdout.splitlines()
    assert "CLAUDE.md:1 missing-section (note) no section “Never”: what never to do, at most 5" in found.stdout
    assert found.stderr == "1 remark on about 5 tokens that every session carries.\n"


def test_files_of_a_tree(project):
    for name in ("CLAUDE.md", "a/CLAUDE.local.md", "a/.claude/CLAUDE.md", "node_modules/x/CLAUDE.md", "a/claude.txt"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(BAD)
    found = json.loads(run("--json").stdout)
    assert sorted(found["files"]) == ["CLAUDE.md", "a/.claude/CLAUDE.md", "a/CLAUDE.local.md"]
    assert found["cuttable_tokens"] == 15
    assert {
        "path": "CLAUDE.md",
        "line": 4,
        "last_line": 4,
        "rule": "generic-advice",
        "section": "Stack",
        "message": "generic advice: the model does this unasked",
        "optional": False,
    } in found["remarks"]


def test_a_clean_file_and_no_file(project):
    assert run().stderr == "There is no CLAUDE.md here.\n"
    (project / "CLAUDE.md").write_text(CLEAN)
    found = run("CLAUDE.md")
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "Nothing to cut.\n")


def test_notes_alone_are_no_failure(project):
    (project / "notes.md").write_text("## Stack\nRust\n")
    found = run("notes.md")
    assert found.exit_code == 0
    assert "missing-section (note)" in found.stdout


def test_bytes_that_are_no_text(project):
    (project / "CLAUDE.md").write_bytes(b"\xef\xbb\xbf# \xff\xfe\r\nWrite clean code\r\n\x00")
    assert "CLAUDE.md:2 generic-advice" in run().stdout


def test_misuse(project):
    found = run("nowhere")
    assert found.exit_code == 2
    assert "does not exist" in found.stderr
    assert run("--jsn").exit_code == 2

import json

import pytest
from click.testing import CliRunner

from underspend.cli.lint import command

BAD = "## Stack\nRust\n\nWrite clean code.\n"
CLEAN = "## Stack\nRust\n## Conventions\n- a\n## Never\n- b\n## Commands\n- c\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path / "home"


@pytest.fixture
def project(home, tmp_path, monkeypatch):
    folder = tmp_path / "above" / "project"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def write(path, text=BAD):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


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


def test_what_a_session_started_here_reads(project, home):
    user = write(home / ".claude" / "CLAUDE.md")
    above = write(project.parent / "CLAUDE.local.md")
    write(project / "CLAUDE.md", f"{BAD}\n@docs/style.md and `@docs/none.md`\n")
    write(project / "docs" / "style.md")
    write(project / "docs" / "none.md")
    write(project / ".claude" / "rules" / "a.md")
    write(project / ".claude" / "rules" / "scoped.md", "---\npaths: [x]\n---\nWrite clean code.\n")
    write(project / "src" / "CLAUDE.md")
    found = json.loads(run("--json").stdout)
    assert found["reads"] == [
        {"path": str(user), "at_start": True, "imported_by": None},
        {"path": str(above), "at_start": True, "imported_by": None},
        {"path": "CLAUDE.md", "at_start": True, "imported_by": None},
        {"path": "docs/style.md", "at_start": True, "imported_by": "CLAUDE.md"},
        {"path": ".claude/rules/a.md", "at_start": True, "imported_by": None},
        {"path": "src/CLAUDE.md", "at_start": False, "imported_by": None},
    ]
    assert found["files"] == [each["path"] for each in found["reads"]]
    assert (found["cuttable_tokens"], found["cuttable_tokens_at_start"]) == (30, 25)
    said = "6 remarks on about 25 tokens that every session carries and about 5 that sessions read with files of their"
    assert run().stderr == f"{said} folders.\n"


def test_another_folder_is_named_as_the_user_names_it(project):
    write(project / "a" / "CLAUDE.md")
    write(project / "CLAUDE.md")
    found = json.loads(run("--json", "a").stdout)
    assert found["files"] == [str(project / "CLAUDE.md"), "a/CLAUDE.md"]


def test_a_file_is_looked_at_once(project):
    write(project / "CLAUDE.md", f"{BAD}\n@CLAUDE.md @a/CLAUDE.md\n")
    write(project / "a" / "CLAUDE.md")
    assert json.loads(run("--json", ".", "a", "CLAUDE.md").stdout)["files"] == ["CLAUDE.md", "a/CLAUDE.md"]


def test_what_the_client_is_told_to_leave_out(project):
    write(project.parent / "CLAUDE.md")
    write(project / ".claude" / "settings.json", '{"claudeMdExcludes": ["**/above/CLAUDE.md"]}')
    assert run().stderr == "There is no CLAUDE.md here.\n"


def test_sections_are_missed_in_a_claude_md_and_not_in_what_it_imports(project):
    write(project / "CLAUDE.md", f"{CLEAN}\n@style.md\n")
    write(project / "style.md", "Rust\n")
    assert run().stdout == ""

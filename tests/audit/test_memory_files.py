import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from underspend.audit.memory_files import managed_file, memory_of, read_text


@pytest.fixture
def place(tmp_path):
    """A home with the client's folder, and a project in it."""
    (tmp_path / "home" / ".claude").mkdir(parents=True)
    (tmp_path / "home" / "w" / "p").mkdir(parents=True)
    return tmp_path / "home"


def write(path, text="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def memory(place, *folders, **more):
    names = [str(place / name) for name in folders or ("w/p",)]
    return memory_of(names, config_folders=[place / ".claude"], home=place, **more)


def test_the_order_is_the_clients(place, tmp_path):
    managed = write(tmp_path / "etc" / "CLAUDE.md")
    expected = [
        managed,
        write(place / ".claude" / "CLAUDE.md"),
        write(place / ".claude" / "rules" / "mine.md"),
        write(place / "w" / "CLAUDE.md"),
        write(place / "w" / "CLAUDE.local.md"),
        write(place / "w" / "p" / "CLAUDE.md"),
        write(place / "w" / "p" / ".claude" / "CLAUDE.md"),
        write(place / "w" / "p" / ".claude" / "rules" / "a.md"),
        write(place / "w" / "p" / ".claude" / "rules" / "b" / "c.md"),
        write(place / "w" / "p" / "CLAUDE.local.md"),
    ]
    write(place / "w" / "p" / "src" / "CLAUDE.md")
    write(place / "w" / "p" / ".claude" / "rules" / "d.txt")
    write(place / "w" / "p" / ".claude" / "rules" / "scoped.md", "---\npaths: x\n---\n")
    write(place / "w" / "q" / "CLAUDE.md")
    assert list(memory(place, managed=Path(managed)).texts) == expected


def test_who_reads_what(place):
    user = write(place / ".claude" / "CLAUDE.md")
    above, own = write(place / "w" / "CLAUDE.md"), write(place / "w" / "p" / "CLAUDE.md")
    found = memory(place, "w/p", "w/q", "elsewhere")
    both = frozenset({str(place / "w" / "p"), str(place / "w" / "q")})
    assert found.readers == {user: None, above: both, own: frozenset({str(place / "w" / "p")})}


def test_folders_that_are_gone_still_have_those_above_them(place):
    above = write(place / "w" / "CLAUDE.md")
    assert memory(place, "w/gone/for/ever").readers == {above: frozenset({str(place / "w/gone/for/ever")})}


@pytest.mark.parametrize("name", ["", "w/p", ".", "C:\\w\\p"])
def test_what_is_no_path_here_is_not_looked_for(place, monkeypatch, name):
    monkeypatch.chdir(place)
    write(place / "CLAUDE.md")
    write(place / "w" / "p" / "CLAUDE.md")
    assert memory_of([name]).texts == {}


def test_the_root_of_the_file_system_is_not_looked_at(monkeypatch):
    looked = []
    monkeypatch.setattr("underspend.audit.memory_files.is_there", lambda path: looked.append(str(path)))
    memory_of(["/nowhere/to/be/found"])
    assert not {"/CLAUDE.md", "/CLAUDE.local.md"}.intersection(looked)
    assert "/nowhere/CLAUDE.md" in looked


def test_imports_of_imports_four_hops_deep(place):
    own = place / "w" / "p"
    write(own / "CLAUDE.md", "@d/a.md")
    for name, text in (("a", "@b.md"), ("b", "@c.md"), ("c", "@d.md"), ("d", "@e.md"), ("e", "")):
        write(own / "d" / f"{name}.md", text)
    found = memory(place)
    assert [Path(name).name for name in found.texts] == ["CLAUDE.md", "a.md", "b.md", "c.md", "d.md"]
    assert found.named_by[str(own / "d" / "a.md")] == str(own / "CLAUDE.md")
    assert found.named_by[str(own / "d" / "b.md")] == str(own / "d" / "a.md")


def test_a_file_is_read_once_however_often_and_however_it_is_named(place):
    own = place / "w" / "p"
    write(own / "CLAUDE.md", "@a.md @./a.md @CLAUDE.md @b.md")
    write(own / "a.md", "@CLAUDE.md")
    (own / "b.md").symlink_to(own / "a.md")
    assert [Path(name).name for name in memory(place).texts] == ["CLAUDE.md", "a.md"]


def test_what_is_outside_is_read_only_where_the_user_agreed(place):
    own = place / "w" / "p"
    outside = write(place / "notes.md")
    project = write(own / "CLAUDE.md", "@~/notes.md @../../notes.md")
    assert list(memory(place).texts) == [project]
    agreed = {"projects": {str(own): {"hasClaudeMdExternalIncludesApproved": True}}, "oauthAccount": 3}
    write(place / ".claude.json", json.dumps(agreed))
    assert list(memory(place).texts) == [project, outside]
    agreed["projects"][str(own)] = {"hasClaudeMdExternalIncludesApproved": False}
    write(place / ".claude.json", json.dumps(agreed))
    assert list(memory(place).texts) == [project]


def test_agreed_for_the_repository_is_agreed_for_its_folders(place):
    outside = write(place / "notes.md")
    (place / "w" / "p" / ".git").mkdir()
    project = write(place / "w" / "p" / "src" / "CLAUDE.md", "@~/notes.md")
    state = {"projects": {str(place / "w" / "p"): {"hasClaudeMdExternalIncludesApproved": True}}}
    write(place / ".claude" / ".claude.json", json.dumps(state))
    assert list(memory(place, "w/p/src").texts) == [project, outside]


def test_a_parents_import_is_outside_of_the_session(place):
    parent, beside = write(place / "w" / "CLAUDE.md", "@shared.md"), write(place / "w" / "shared.md")
    assert list(memory(place).texts) == [parent]
    found = memory(place, "w", "w/p")
    assert found.readers == {
        parent: frozenset({str(place / "w"), str(place / "w/p")}),
        beside: frozenset({str(place / "w")}),
    }


def test_the_users_own_file_imports_from_anywhere(place):
    user, outside = write(place / ".claude" / "CLAUDE.md", "@~/notes.md"), write(place / "notes.md")
    found = memory(place)
    assert found.readers == {user: None, outside: None}


def test_an_import_that_is_no_text_or_not_there(place):
    own = place / "w" / "p"
    project = write(own / "CLAUDE.md", "@picture.png @gone.md @folder @empty.md")
    (own / "picture.png").write_bytes(b"\x89PNG\0")
    (own / "folder").mkdir()
    assert list(memory(place).texts) == [project]


def test_excluded_files_and_their_imports(place):
    user, above = write(place / ".claude" / "CLAUDE.md"), write(place / "w" / "CLAUDE.md", "@p/a.md")
    write(place / "w" / "p" / "a.md")
    own = write(place / "w" / "p" / "CLAUDE.md")
    local = str(place / "w" / "p" / ".claude" / "settings.local.json")
    said = {local: {"claudeMdExcludes": [above, user, 7]}, str(place / ".claude" / "settings.json"): {"x": 1}}
    found = memory(place, "w/p", "w", settings=said)
    assert found.readers == {
        user: frozenset({str(place / "w")}),
        above: frozenset({str(place / "w")}),
        own: frozenset({str(place / "w" / "p")}),
        str(place / "w" / "p" / "a.md"): frozenset({str(place / "w")}),
    }


def test_the_administrators_file_is_never_excluded(place, tmp_path):
    managed = write(tmp_path / "etc" / "CLAUDE.md")
    said = {str(place / ".claude" / "settings.json"): {"claudeMdExcludes": ["**"]}}
    assert list(memory(place, managed=Path(managed), settings=said).texts) == [managed]


def test_a_worktree_within_its_repository_does_not_read_the_shared_files_twice(place):
    repository = place / "w" / "p"
    (repository / ".git" / "worktrees" / "t").mkdir(parents=True)
    write(repository / "CLAUDE.md")
    local = write(repository / "CLAUDE.local.md")
    above = write(place / "w" / "CLAUDE.md")
    tree = repository / ".claude" / "worktrees" / "t"
    own = write(tree / "CLAUDE.md")
    write(tree / ".git", f"gitdir: {repository / '.git' / 'worktrees' / 't'}\n")
    assert list(memory(place, "w/p/.claude/worktrees/t").texts) == [above, local, own]
    write(tree / ".git", "gitdir: ../../../.git/modules/t\n")
    assert len(memory(place, "w/p/.claude/worktrees/t").texts) == 4


def test_rules_through_links_and_rings_of_links(place, tmp_path):
    write(tmp_path / "shared" / "style.md")
    rules = place / "w" / "p" / ".claude" / "rules"
    rules.mkdir(parents=True)
    (rules / "team").symlink_to(tmp_path / "shared")
    (tmp_path / "shared" / "round").symlink_to(rules)
    assert list(memory(place).texts) == [str(rules / "team" / "style.md")]


def test_rules_are_not_looked_for_everywhere(place, monkeypatch):
    monkeypatch.setattr("underspend.audit.memory_files._MOST_FOLDERS", 2)
    rules = place / "w" / "p" / ".claude" / "rules"
    expected = [write(rules / "a.md"), write(rules / "b" / "c.md")]
    write(rules / "d" / "e.md")
    assert list(memory(place).texts) == expected


def test_text_of_any_bytes_and_of_what_cannot_be_read(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfx \xff")
    assert read_text(tmp_path / "a") == "x \ufffd"
    assert read_text(tmp_path) is None
    assert read_text(tmp_path / "none") is None
    with (tmp_path / "large").open("wb") as file:
        os.truncate(file.fileno(), 5_000_000)
    assert read_text(tmp_path / "large") is None


def test_the_administrators_place():
    assert managed_file("linux") == Path("/etc/claude-code/CLAUDE.md")
    assert "Application Support" in str(managed_file("darwin"))


@given(st.text())
@example("/a" * 3000)
@example("/\0/x")
@example("/\ud800")
@example("/../..")
def test_any_name_of_a_folder(name):
    assert set(memory_of([f"/no/such/place/{name}", name], home=Path("/nobody")).texts) == set()


@given(st.text())
@example("@" * 2000)
@example("@/" + "a/" * 3000)
@example("@\0 @~/\0 @/\ud800")
def test_any_text_of_a_file(tmp_path_factory, text):
    place = tmp_path_factory.mktemp("any")
    (place / "CLAUDE.md").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert list(memory_of([str(place)], home=place).texts) == [str(place / "CLAUDE.md")]

from __future__ import annotations

import os
from pathlib import Path

import pytest

from readers.transcripts import SESSION, assistant, write
from underspend.readers.claude_code.roots import default_roots, sources


def names(*roots: Path) -> list[str]:
    return sorted(source.path.name for source in sources(roots)[0])


def test_the_usual_places(tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".config" / "claude").mkdir(parents=True)
    assert default_roots({"HOME": str(tmp_path)}, "linux") == [tmp_path / ".config" / "claude", tmp_path / ".claude"]


def test_named_places_stand_for_the_usual_ones(tmp_path: Path) -> None:
    for name in (".claude", "one", "two"):
        (tmp_path / name).mkdir()
    named = f"{tmp_path / 'one'}, {tmp_path / 'two'},{tmp_path / 'gone'},"
    assert default_roots({"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": named}, "linux") == [
        tmp_path / "one",
        tmp_path / "two",
    ]


@pytest.mark.parametrize(
    ("platform", "place"),
    [
        ("darwin", "Library/Application Support/Claude"),
        ("win32", "AppData/Roaming/Claude"),
        ("linux", ".config/Claude"),
    ],
)
def test_the_desktops_sessions(tmp_path: Path, platform: str, place: str) -> None:
    session = tmp_path / place / "local-agent-mode-sessions" / "a" / "b" / ".claude"
    write(session / "projects" / "work", f"{SESSION}.jsonl", assistant())
    assert default_roots({"HOME": str(tmp_path)}, platform) == [session]
    assert names(session) == [f"{SESSION}.jsonl"]


def test_every_layout(tmp_path: Path) -> None:
    work = tmp_path / "projects" / "-home-work"
    for name in (
        f"{SESSION}.jsonl",
        "agent-0a1b2c3d.jsonl",
        f"{SESSION}/subagents/agent-a1.jsonl",
        f"{SESSION}/subagents/workflows/wf_1/agent-a2.jsonl",
    ):
        write(work, name, assistant())
    for name in (
        f"{SESSION}.orphaned.jsonl",
        f"{SESSION}.superseded-1.jsonl",
        f"{SESSION}/subagents/workflows/wf_1/journal.jsonl",
        f"{SESSION}/tool-results/out.txt",
    ):
        write(work, name)
    found = sources([tmp_path])[0]
    assert {source.path.name: (source.is_agent, source.project) for source in found} == {
        f"{SESSION}.jsonl": (False, "-home-work"),
        "agent-0a1b2c3d.jsonl": (True, "-home-work"),
        "agent-a1.jsonl": (True, "-home-work"),
        "agent-a2.jsonl": (True, "-home-work"),
    }


def test_a_root_may_be_a_projects_folder_a_folder_or_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "projects" / "work", "a.jsonl", assistant())
    for root in (tmp_path, tmp_path / "projects", path.parent, path):
        assert names(root) == ["a.jsonl"]


def test_a_file_in_two_roots_is_read_once(tmp_path: Path) -> None:
    path = write(tmp_path / "projects" / "work", "a.jsonl", assistant())
    assert names(tmp_path, path, path.parent) == ["a.jsonl"]


def test_links_in_circles_end(tmp_path: Path) -> None:
    write(tmp_path / "projects" / "work", "a.jsonl", assistant())
    (tmp_path / "projects" / "work" / "loop").symlink_to(tmp_path / "projects")
    (tmp_path / "projects" / "again.jsonl").symlink_to(tmp_path / "projects" / "work" / "a.jsonl")
    assert len(names(tmp_path)) == 1


def test_a_link_to_nothing_is_listed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "gone")
    found, skipped = sources([tmp_path])
    assert (found, [item.why for item in skipped]) == ([], ["cannot be read: no such file or directory"])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_is_listed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    assert len(sources([tmp_path])[1]) == 1


def test_a_root_that_is_gone_is_listed(tmp_path: Path) -> None:
    assert [item.why for item in sources([tmp_path / "gone"])[1]] == ["cannot be read: no such file or directory"]


def test_files_last_written_before_are_left_out(tmp_path: Path) -> None:
    old, new = write(tmp_path, "old.jsonl", assistant()), write(tmp_path, "new.jsonl", assistant())
    os.utime(old, (1000, 1000))
    os.utime(new, (3000, 3000))
    assert [source.path.name for source in sources([tmp_path], since=2000 * 10**6)[0]] == ["new.jsonl"]


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.jsonl")
    try:
        Path(os.fsdecode(path)).write_bytes(b"{}\n")
    except OSError:
        pytest.skip("this file system takes no such names")
    (source,) = sources([tmp_path])[0]
    assert source.path.read_bytes() == b"{}\n"
    assert source.shown.endswith("caf\ufffd.jsonl")

from pathlib import PurePosixPath, PureWindowsPath

from advisors.histories_by_hand import history, line
from underspend.advisors.places import folder_governed, governed, path_of


def test_where_a_file_holds():
    assert folder_governed("/home/u/p/CLAUDE.md") == PurePosixPath("/home/u/p")
    assert folder_governed("/home/u/p/.claude/CLAUDE.md") == PurePosixPath("/home/u/p")
    assert folder_governed("/home/u/.claude/settings.json") == PurePosixPath("/home/u")
    assert folder_governed("C:\\w\\p\\CLAUDE.md") == PureWindowsPath("C:\\w\\p")
    assert folder_governed("/etc/claude-code/managed-settings.json") is None


def test_a_file_beside_the_clients_own_settings_holds_everywhere():
    assert folder_governed("/data/cc/CLAUDE.md", ["/data/cc/settings.json"]) is None
    assert folder_governed("/p/.claude/CLAUDE.md", ["/p/.claude/settings.json"]) == PurePosixPath("/p")


def test_a_path_is_read_as_it_was_written():
    assert isinstance(path_of("C:/w"), PureWindowsPath)
    assert isinstance(path_of("/w"), PurePosixPath)


def test_sessions_at_or_under_the_folder():
    here, below, beside, unknown = (line(directory=where) for where in ("/home/u/p", "/home/u/p/src", "/home/u/pp", ""))
    past = history(here, below, beside, unknown)
    assert governed(past, PurePosixPath("/home/u/p")) == [here, below]
    assert governed(past, None) == [here, below, beside, unknown]
    assert governed(past, PureWindowsPath("C:\\w")) == []

from pathlib import Path

import pytest

from underspend.cli.settings_diff import show
from underspend.integrations.claude_code import Change

PATH = Path("/c/settings.json")


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("a\nb\n", "a\nc\n", ["--- /c/settings.json (now)", "+++ /c/settings.json", "-b", "+c"]),
        (None, "a\n", ["--- (no file)", "+a"]),
        ("a\n", None, ["+++ (no file)", "-a"]),
        ("a", "b", ["-a", "+b"]),
        ("a\n", "a\n", []),
    ],
)
def test_the_difference_as_diff_would_show_it(capsys, before, after, shown):
    show(Change(PATH, before, after))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in shown if line not in lines] == []
    assert bool(lines) == bool(shown)

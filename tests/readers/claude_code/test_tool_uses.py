from __future__ import annotations

from typing import Any

import msgspec
import pytest

from underspend.core.history import ToolUse
from underspend.readers.claude_code.records import pack
from underspend.readers.claude_code.shapes import Piece
from underspend.readers.claude_code.tool_uses import tool_use


def used(name: str | None, given: Any, spawned: dict[str, Any] | None = None) -> ToolUse:
    piece = Piece(type="tool_use", id="toolu_1", name=name, input=msgspec.Raw(msgspec.json.encode(given)))
    found = tool_use(piece, {} if spawned is None else spawned)
    return msgspec.msgpack.decode(pack(found), type=ToolUse)


@pytest.mark.parametrize(
    ("name", "given", "target"),
    [
        ("Read", {"file_path": "/a"}, "/a"),
        ("NotebookEdit", {"notebook_path": "/n"}, "/n"),
        ("Bash", {"command": "ls"}, "ls"),
        ("Grep", {"pattern": "x", "path": "/a"}, "x"),
        ("Glob", {"pattern": "*.py"}, "*.py"),
        ("Agent", {"subagent_type": "Explore", "prompt": "p"}, "Explore"),
        ("Skill", {"skill": "commit"}, "commit"),
        ("Skill", {"command": "old"}, "old"),
        ("WebFetch", {"url": "https://x"}, "https://x"),
        ("LS", {"path": "/a"}, "/a"),
        ("mcp__git__log", {"path": "/r"}, "/r"),
        ("TodoWrite", {"todos": []}, ""),
        ("Bash", [1], ""),
    ],
)
def test_what_a_tool_is_used_on(name: str, given: Any, target: str) -> None:
    assert used(name, given).target == target


def test_the_range_of_a_read() -> None:
    found = used("Read", {"file_path": "/a", "offset": 10, "limit": 20})
    assert (found.first_line, found.line_count) == (10, 20)
    assert used("Grep", {"pattern": "x", "offset": 10}).first_line == 0


def test_sizes_are_in_characters() -> None:
    assert used("Bash", {"command": "ü"}).size == len('{"command":"ü"}')


def test_long_commands_differ_though_cut() -> None:
    one, other = used("Bash", {"command": "a" * 5000 + "1"}), used("Bash", {"command": "a" * 5000 + "2"})
    assert one.target != other.target
    assert len(one.target) < 450


def test_agents_are_known_by_their_prompt() -> None:
    spawned: dict[str, Any] = {}
    used("Task", {"subagent_type": "Explore", "prompt": "Look."}, spawned)
    assert spawned["Look."].target == "Explore"


def test_a_tool_without_a_name() -> None:
    assert used(None, {}).name == "unknown"

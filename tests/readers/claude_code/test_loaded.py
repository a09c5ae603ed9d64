from __future__ import annotations

from typing import Any

import pytest

from readers.transcripts import SESSION, attachment, taken
from underspend.readers.claude_code.loaded import always_loaded


def known(*data: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(item.kind, item.name): item.size for item in taken(*(attachment(**one) for one in data)).loaded}


def test_a_snapshot_of_the_prompt() -> None:
    tools = [{"name": "Read", "description": "Reads."}, {"name": "mcp__git__log"}, {"description": "nameless"}, 7]
    snapshot = {
        "type": "prompt_snapshot",
        "systemPrompt": ["You are.", "# Tone\nBe terse."],
        "tools": tools,
        "cliPrefix": "ab",
    }
    assert known(snapshot) == {
        ("system", "prefix"): 2,
        ("system", "1"): 8,
        ("system", "2 Tone"): 16,
        ("tool", "Read"): len('{"name":"Read","description":"Reads."}'),
        ("mcp_tool", "mcp__git__log"): len('{"name":"mcp__git__log"}'),
    }


def test_the_last_snapshot_holds() -> None:
    first = {"type": "prompt_snapshot", "systemPrompt": ["a", "b"], "tools": [{"name": "X"}]}
    later = {"type": "prompt_snapshot", "systemPrompt": ["abc"]}
    assert known(first, later) == {("system", "1"): 3, ("tool", "X"): len('{"name":"X"}')}


def test_skills_and_agents() -> None:
    skills = {"type": "skill_listing", "content": "one line\nanother one", "names": ["a", "b"]}
    agents = {"type": "agent_listing_delta", "addedTypes": ["Plan"], "addedLines": ["Plans."]}
    assert known(skills, agents) == {("skill", "a"): 8, ("skill", "b"): 11, ("agent", "Plan"): 6}


def test_a_listing_whose_lines_do_not_fit_is_shared_out() -> None:
    assert known({"type": "skill_listing", "content": "x" * 10, "names": ["a", "b"]}) == {
        ("skill", "a"): 5,
        ("skill", "b"): 5,
    }


def test_instructions() -> None:
    found = known({"type": "instructions", "files": [{"path": "/w/CLAUDE.md", "content": "Be kind."}]})
    assert found == {("claude_md", "/w/CLAUDE.md"): 8}


def test_it_is_of_the_session() -> None:
    assert [item.session for item in taken(attachment(type="prompt_snapshot", systemPrompt=["a"])).loaded] == [SESSION]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": "date"},
        {"type": "prompt_snapshot", "systemPrompt": 7, "tools": None},
        {"type": "skill_listing", "names": None},
        {"type": "skill_listing", "names": [None, 3]},
        {"type": "agent_listing_delta", "addedTypes": {}},
        {"type": "instructions"},
    ],
    ids=repr,
)
def test_what_says_nothing(data: dict[str, Any]) -> None:
    assert always_loaded("s", data) == []

from __future__ import annotations

from typing import Any

import pytest

from readers.transcripts import assistant, attachment, entry, marks, system, taken, user
from underspend.core.history import MarkKind
from underspend.readers.claude_code.marks import error_name


def noted(*entries: Any) -> list[tuple[str, str]]:
    return [(mark.kind.value, mark.detail) for mark in marks(taken(*entries))]


def test_a_compaction() -> None:
    (mark,) = marks(
        taken(system("compact_boundary", compactMetadata={"trigger": "auto", "preTokens": 9, "postTokens": 2}))
    )
    assert (mark.kind, mark.detail, mark.tokens_before, mark.tokens_after) == (MarkKind.COMPACTION, "auto", 9, 2)


def test_a_microcompaction() -> None:
    data = {"trigger": "auto", "preTokens": 50, "tokensSaved": 20}
    (mark,) = marks(taken(system("microcompact_boundary", microcompactMetadata=data)))
    assert (mark.kind, mark.tokens_before, mark.tokens_after) == (MarkKind.MICROCOMPACTION, 50, 30)


@pytest.mark.parametrize("data", [None, 7, "x", {}, {"preTokens": "many"}], ids=repr)
def test_a_compaction_of_unknown_size(data: Any) -> None:
    (mark,) = marks(taken(system("compact_boundary", compactMetadata=data)))
    assert (mark.tokens_before, mark.tokens_after) == (0, 0)


def test_other_system_entries_are_no_marks() -> None:
    assert noted(system("turn_duration", durationMs=5), system("local_command", content="x")) == []


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ({"status": 529, "error": {"type": "error", "error": {"type": "overloaded_error"}}}, "overloaded_error"),
        ({"message": '529 {"type":"error","error":{"type":"overloaded_error"}}', "status": 529}, "overloaded_error"),
        ({"status": 500, "message": "oh"}, "500"),
        ({"connection": {"code": "ECONNRESET"}}, "connection"),
        ({"isNetworkDown": True}, "connection"),
        ({"code": "ETIMEDOUT"}, "ETIMEDOUT"),
        ("rate_limit", "rate_limit"),
        ({}, "unknown"),
        (None, "unknown"),
        ([1], "unknown"),
    ],
)
def test_the_name_of_an_error(error: Any, name: str) -> None:
    assert error_name(error) == name


def test_errors_of_the_api_are_marked() -> None:
    assert noted(system("api_error", error={"status": 500})) == [("api_error", "500")]


def test_a_synthetic_reply_tells_of_an_error_and_is_no_reply() -> None:
    found = taken(assistant("x", message={"model": "<synthetic>"}, isApiErrorMessage=True, error="rate_limit"))
    assert [(mark.kind, mark.detail) for mark in marks(found)] == [(MarkKind.API_ERROR, "rate_limit")]
    assert all(part.answered == [] for part in found.parts)


def test_hooks_tell_how_a_process_began() -> None:
    hooks = [
        entry("progress", data={"type": "hook_progress", "hookName": f"SessionStart:{name}"})
        for name in ("startup", "resume", "clear", "compact")
    ]
    assert noted(*hooks) == [("resume", "resume"), ("clear", "")]


def test_a_prompt_after_the_client_left_is_a_resume() -> None:
    left = entry("cost-state", totalCostUSD=1)
    assert noted(user("a"), left, left, user("b"), user("c")) == [("resume", "resume")]


def test_only_changes_of_tools_are_marked() -> None:
    delta = {"type": "deferred_tools_delta"}
    found = noted(
        attachment(**delta, addedNames=["A", "B"], removedNames=[]),
        attachment(**delta, addedNames=["A", "B"], removedNames=[]),
        attachment(**delta, addedNames=["C"], removedNames=["A", "Z"]),
        attachment(type="mcp_instructions_delta", addedNames=["s"], removedNames=None),
        attachment(type="agent_listing_delta", addedTypes="x"),
    )
    assert found == [("tools_changed", "tools: +C -A")]


def test_only_changes_of_the_model_are_marked() -> None:
    models = [attachment(type="model", identity={"modelId": name}) for name in ("a", "a", "b")]
    assert noted(*models) == [("model_set", "b")]


def test_only_changes_of_the_mode_are_marked() -> None:
    modes = [user(f"prompt {mode}", permissionMode=mode) for mode in ("default", "default", "plan")]
    assert noted(*modes, entry("permission-mode", permissionMode="auto")) == [
        ("permission_mode", "plan"),
        ("permission_mode", "auto"),
    ]

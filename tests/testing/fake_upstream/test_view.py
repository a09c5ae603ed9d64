from __future__ import annotations

import json
from typing import Any

import pytest

from underspend.testing.fake_upstream.view import RequestView


def view(body: Any = None, headers: dict[str, str] | None = None, target: str = "/v1/messages") -> RequestView:
    return RequestView("POST", target, list((headers or {}).items()), json.dumps(body or {}).encode())


def test_path_and_query() -> None:
    asked = view(target="/v1/messages?beta=true&beta=false&x=")
    assert (asked.path, asked.query) == ("/v1/messages", {"beta": "false", "x": ""})


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ({"X-Api-Key": "a"}, "a"),
        ({"Authorization": "Bearer b"}, "b"),
        ({"authorization": "bearer b", "x-api-key": "a"}, "a"),
        ({"Authorization": "Basic b"}, None),
        ({"Authorization": "Bearer "}, None),
        ({}, None),
    ],
)
def test_the_credential_is_found_wherever_it_is(headers: dict[str, str], credential: str | None) -> None:
    assert view(headers=headers).credential == credential


@pytest.mark.parametrize(
    ("headers", "user_id", "session"),
    [
        ({"X-Claude-Code-Session-Id": "h"}, '{"session_id":"m"}', "h"),
        ({}, '{"device_id":"d","session_id":"m"}', "m"),
        ({}, "user_abc_account__session_0f0f", "0f0f"),
        ({}, "somebody", None),
        ({}, 5, None),
        ({}, "[1]", None),
    ],
)
def test_the_session(headers: dict[str, str], user_id: Any, session: str | None) -> None:
    assert view({"metadata": {"user_id": user_id}}, headers).session == session


@pytest.mark.parametrize(
    ("body", "headers", "role"),
    [
        ({"tools": [{}]}, {}, "main"),
        ({}, {}, "side"),
        ({"tools": [{}]}, {"x-claude-code-agent-id": "a1"}, "subagent"),
        ({}, {"x-claude-code-request-class": "compaction"}, "compaction"),
        (
            {"messages": [{"role": "user", "content": "Your task is to create a detailed summary of all"}]},
            {"x-claude-code-agent-id": "a1"},
            "compaction",
        ),
    ],
)
def test_the_role(body: Any, headers: dict[str, str], role: str) -> None:
    assert view(body, headers).role == role


def test_texts_and_tools_of_the_conversation() -> None:
    use = {"type": "tool_use", "id": "t1", "name": "Read", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "out"}
    asked = view(
        {
            "messages": [
                {"role": "user", "content": "first"},
                {"role": "system", "content": "reminder"},
                {"role": "assistant", "content": [use]},
                {"role": "user", "content": [result, {"type": "text", "text": "last"}]},
            ]
        }
    )
    assert (asked.first_text, asked.last_text) == ("first", "last")
    assert asked.tool_results() == {"t1": "out"}
    assert asked.tool_uses() == [use]


def test_a_body_that_is_no_object_is_empty() -> None:
    assert RequestView("POST", "/", [], b"[1]").json == {}
    assert RequestView("POST", "/", [], b"\xff").json == {}
    assert view().messages == []
    assert (view().first_text, view().last_text) == ("", "")

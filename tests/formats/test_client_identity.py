"""Sources in the order of trust, for the shapes that real clients were measured to send."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.call import BillingMode, Identity, Role
from underspend.formats.anthropic_request import MessagesRequest, read
from underspend.formats.client_identity import (
    billing_mode,
    credential,
    identify,
    project_name,
    role_of,
    session_of,
    working_directory,
)

SESSION = "6f2a1f6e-0000-4000-8000-000000000001"
CLI = {"user-agent": "claude-cli/2.1.328 (external, sdk-cli)", "x-claude-code-session-id": SESSION, "x-api-key": "k"}
OLD_CLI = {"user-agent": "claude-cli/2.0.76 (external, cli)", "x-api-key": "k"}
SDK = {"user-agent": "Anthropic/Python 2.10.0", "authorization": "Bearer k"}
USER_ID = json.dumps({"device_id": "d" * 64, "account_uuid": "", "session_id": SESSION})
BILLING = "x-anthropic-billing-header: cc_version=2.1.328.abc; cc_entrypoint=sdk-cli;"


def request(**body: Any) -> MessagesRequest:
    found = read(json.dumps({"model": "m", "messages": [], **body}).encode())
    assert found is not None
    return found


def system(text: str) -> list[Any]:
    return [{"type": "text", "text": text}]


NEW_BODY = request(
    metadata={"user_id": USER_ID},
    system=[*system(BILLING), *system("You are Claude Code")],
    tools=[{"name": "Bash"}],
    messages=[
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "# Environment\nPrimary working directory: /home/ann/shop\n - Is a git repo"},
    ],
)
OLD_BODY = request(
    metadata={"user_id": f"user_{'0' * 64}_account__session_{SESSION}"},
    system=system("<env>\nWorking directory: /home/ann/shop\nIs directory a git repo: Yes"),
    tools=[{"name": "Bash"}],
)
SUMMARY = [{"role": "user", "content": "Your task is to create a detailed summary of the conversation so far."}]


@pytest.mark.parametrize(
    ("headers", "body", "session"),
    [
        (CLI, NEW_BODY, SESSION),
        ({**CLI, "x-underspend-session": "mine"}, NEW_BODY, "mine"),
        ({**CLI, "x-claude-code-session-id": "other"}, NEW_BODY, "other"),
        (OLD_CLI, OLD_BODY, SESSION),
        (OLD_CLI, NEW_BODY, SESSION),
        (CLI, None, SESSION),
        (SDK, request(), None),
        (SDK, request(metadata={"user_id": "someone"}), None),
        (SDK, request(metadata={"user_id": '{"session_id": 7}'}), None),
        ({}, None, None),
    ],
)
def test_session(headers: dict[str, str], body: MessagesRequest | None, session: str | None) -> None:
    assert session_of(headers, body) == session


@pytest.mark.parametrize(
    ("headers", "body", "role"),
    [
        (CLI, NEW_BODY, Role.MAIN),
        (OLD_CLI, OLD_BODY, Role.MAIN),
        ({**CLI, "x-claude-code-agent-id": "a0123456789abcdef"}, NEW_BODY, Role.SUBAGENT),
        (CLI, request(system=system(BILLING + " cc_is_subagent=true;"), tools=[{}]), Role.SUBAGENT),
        (OLD_CLI, request(tools=[]), Role.SIDE),
        (CLI, request(stop_sequences=["</severity>"]), Role.SIDE),
        (CLI, request(messages=SUMMARY, tools=[{}]), Role.COMPACTION),
        ({**CLI, "x-claude-code-agent-id": "a0"}, request(messages=SUMMARY), Role.COMPACTION),
        # A hint beats whatever the body looks like; a hint nobody knows is none.
        ({**CLI, "x-claude-code-request-class": "main"}, request(messages=SUMMARY), Role.MAIN),
        ({**CLI, "x-claude-code-request-class": "subagent"}, NEW_BODY, Role.SUBAGENT),
        ({**CLI, "x-claude-code-request-class": "compaction"}, None, Role.COMPACTION),
        ({**CLI, "x-claude-code-request-class": "dream"}, NEW_BODY, Role.MAIN),
        (SDK, request(), Role.UNKNOWN),
        (CLI, None, Role.UNKNOWN),
    ],
)
def test_role(headers: dict[str, str], body: MessagesRequest | None, role: Role) -> None:
    assert role_of(headers, body) is role


def test_an_old_summary_deep_in_a_long_conversation_is_no_compaction() -> None:
    long = [*SUMMARY, {"role": "assistant", "content": "x" * 30_000}, {"role": "user", "content": "go on"}]
    assert role_of(CLI, request(messages=long, tools=[{}])) is Role.MAIN


@pytest.mark.parametrize(
    ("body", "directory"),
    [
        (NEW_BODY, "/home/ann/shop"),
        (OLD_BODY, "/home/ann/shop"),
        (request(system=system("CWD: /home/ann/bare\nDate: today")), "/home/ann/bare"),
        (
            request(messages=[{"role": "system", "content": "x\nWorking directory: C:\\Users\\ann\\shop\n"}]),
            "C:\\Users\\ann\\shop",
        ),
        (
            request(
                safeguards=[{"type": "dangerous_tool_use", "classifier_context": {"live_cwd": "/home/ann/live"}}],
                messages=[{"role": "system", "content": "Primary working directory: /home/ann/first\n"}],
            ),
            "/home/ann/live",
        ),
        (request(), None),
        (None, None),
    ],
)
def test_working_directory(body: MessagesRequest | None, directory: str | None) -> None:
    assert working_directory(body) == directory


@pytest.mark.parametrize(
    ("directory", "name"),
    [("/home/ann/shop", "shop"), ("/home/ann/shop/", "shop"), ("C:\\Users\\ann\\shop", "shop"), ("/", "/"), ("x", "x")],
)
def test_project_name(directory: str, name: str) -> None:
    assert project_name(directory) == name


@pytest.mark.parametrize(
    ("headers", "mode", "secret"),
    [
        ({"x-api-key": "sk-1"}, BillingMode.API_KEY, "sk-1"),
        ({"authorization": "Bearer sk-2"}, BillingMode.API_KEY, "sk-2"),
        ({"authorization": "Bearer sk-ant-oat01-x"}, BillingMode.OAUTH, "sk-ant-oat01-x"),
        ({"authorization": "Bearer t", "anthropic-beta": "a,oauth-2025-04-20"}, BillingMode.OAUTH, "t"),
        ({"x-api-key": "sk-1", "authorization": "Bearer sk-2"}, BillingMode.API_KEY, "sk-1"),
        ({}, BillingMode.NONE, None),
    ],
)
def test_credentials(headers: dict[str, str], mode: BillingMode, secret: str | None) -> None:
    assert (billing_mode(headers), credential(headers)) == (mode, secret)


def test_everything_together() -> None:
    hints = {
        "x-claude-code-agent-id": "a1",
        "x-claude-code-parent-agent-id": "a0",
        "x-claude-code-agent-type": "Explore",
        "x-claude-code-prompt-id": "p7",
        "x-underspend-project": "from a header",
    }
    assert identify({**CLI, **hints}, NEW_BODY, path_project="my%20shop", key="hashed") == Identity(
        session=SESSION,
        agent="a1",
        parent_agent="a0",
        agent_type="Explore",
        role=Role.SUBAGENT,
        turn="p7",
        project="my shop",
        user_agent=CLI["user-agent"],
        key="hashed",
        user="d" * 64,
        billing=BillingMode.API_KEY,
    )
    assert identify({**CLI, **hints}, NEW_BODY).project == "from a header"
    assert identify({}, None) == Identity()


@pytest.mark.parametrize(
    ("headers", "user_id", "user"),
    [
        ({"x-underspend-user": " ada "}, "someone", "ada"),
        ({}, "someone", "someone"),
        ({}, f"user_{'0' * 64}_account__session_{SESSION}", f"user_{'0' * 64}"),
        ({}, '{"device_id": "d", "account_uuid": "a", "session_id": "s"}', "a"),
        ({}, '{"device_id": "d", "account_uuid": ""}', "d"),
        ({}, '{"session_id": 7}', None),
        ({}, "{", None),
        ({}, None, None),
    ],
)
def test_the_user_is_whom_the_client_names(headers, user_id, user) -> None:
    asked = request(metadata={"user_id": user_id}) if user_id is not None else request()
    assert identify(headers, asked).user == user


NAMES = st.sampled_from(["x-api-key", "authorization", "user-agent", "x-claude-code-request-class", "anthropic-beta"])


@given(st.dictionaries(NAMES, st.text()), st.binary(max_size=100))
def test_nothing_a_client_sends_raises(headers: dict[str, str], raw: bytes) -> None:
    body = read(b'{"messages": "' + raw.replace(b'"', b"") + b'"}')
    assert identify(headers, body).user_agent == headers.get("user-agent")
    assert working_directory(body) is None or body is not None

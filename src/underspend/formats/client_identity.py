"""Who is asking, from what clients put on the wire.

For each field the sources are tried in order of trust: an explicit header, Claude Code's own headers, the body.
Header names are lower case. What the real Claude Code sends was measured per version; see docs/identity.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from underspend.core.call import BillingMode, Identity, Role
from underspend.formats.anthropic_request import MessagesRequest, parse_user_id

Headers = Mapping[str, str]

_CLASSES = {"main": Role.MAIN, "subagent": Role.SUBAGENT, "compaction": Role.COMPACTION}
_PATH = rb'((?:[^"\\\r\n]|\\\\){1,512})'
_WORKING_DIRECTORY = re.compile(rb"(?:Primary w|\\nW)orking directory: " + _PATH)
_BARE_DIRECTORY = re.compile(rb"\bCWD: " + _PATH)
_LIVE_CWD = re.compile(rb'"live_cwd"\s*:\s*"((?:[^"\\]|\\.){1,512})"')
_SUMMARY_REQUEST = re.compile(rb"detailed summary of (?:the|this|our) conversation")
_TAIL = 24_000
_HEAD = 250_000  # the section stands behind the first prompt, which may bring long instructions with it
_USERS = ("account_uuid", "device_id")
_SAFETY_STOP = "</severity>"


def billing_mode(headers: Headers) -> BillingMode:
    """OAuth tokens and the beta that goes with them mean a subscription; any other credential is an API key."""
    credential = headers.get("authorization", "")
    if "oauth-" in headers.get("anthropic-beta", "") or "sk-ant-oat" in credential:
        return BillingMode.OAUTH
    if credential or "x-api-key" in headers:
        return BillingMode.API_KEY
    return BillingMode.NONE


def credential(headers: Headers) -> str | None:
    """The secret the client sent, from whichever of the two headers; for hashing only."""
    return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ").strip() or None


def session_of(headers: Headers, request: MessagesRequest | None) -> str | None:
    """`x-underspend-session`, `x-claude-code-session-id`, then `metadata.user_id`."""
    named = headers.get("x-underspend-session") or headers.get("x-claude-code-session-id")
    if named or request is None:
        return named
    session = parse_user_id(request.user_id).get("session_id")
    return session if isinstance(session, str) else None


def user_of(headers: Headers, request: MessagesRequest | None) -> str | None:
    """`x-underspend-user`, then `metadata.user_id`: of Claude Code's the account, or the device where it has none."""
    named = headers.get("x-underspend-user", "").strip()
    if named or request is None or not request.user_id:
        return named or None
    known = parse_user_id(request.user_id)
    if request.user_id.startswith("{"):
        found = next((known[name] for name in _USERS if isinstance(known.get(name), str) and known[name]), None)
        return str(found) if found else None
    return request.user_id.partition("_account_")[0] if known else request.user_id


def role_of(headers: Headers, request: MessagesRequest | None) -> Role:
    """The hint header, the agent header, then marks in the body.

    Side calls are those the client makes for itself: safety checks (told by their stop sequence) and, in older
    clients, calls with an empty tool list.
    """
    hinted = _CLASSES.get(headers.get("x-claude-code-request-class", ""))
    if hinted or request is None:
        return hinted or Role.UNKNOWN
    if _SAFETY_STOP in request.stop_sequences:
        return Role.SIDE
    if _SUMMARY_REQUEST.search(request.messages, max(0, len(request.messages) - _TAIL)):
        return Role.COMPACTION
    if "x-claude-code-agent-id" in headers or b"cc_is_subagent=true" in request.system[:600]:
        return Role.SUBAGENT
    if headers.get("user-agent", "").startswith("claude-cli/"):
        return Role.SIDE if request.tools == b"[]" else Role.MAIN
    return Role.UNKNOWN


def working_directory(request: MessagesRequest | None) -> str | None:
    """The directory Claude Code says it works in, from the environment section or the auto mode's context.

    After a compaction the section may be gone: callers remember the first answer of a session.
    """
    if request is None:
        return None
    found = (
        _LIVE_CWD.search(request.raw, max(0, len(request.raw) - _TAIL))
        or _WORKING_DIRECTORY.search(request.messages, 0, _HEAD)
        or _WORKING_DIRECTORY.search(request.system, 0, _HEAD)
        or _BARE_DIRECTORY.search(request.system, 0, _HEAD)
    )
    return found.group(1).decode(errors="replace").replace("\\\\", "\\").strip() or None if found else None


def project_name(directory: str) -> str:
    """A short name for a working directory: its last part."""
    return re.split(r"[/\\]", directory.rstrip("/\\"))[-1] or directory


def identify(
    headers: Headers, request: MessagesRequest | None, *, path_project: str | None = None, key: str | None = None
) -> Identity:
    """Everything but the working directory, which only a session's first request is searched for."""
    return Identity(
        session=session_of(headers, request),
        agent=headers.get("x-claude-code-agent-id"),
        parent_agent=headers.get("x-claude-code-parent-agent-id"),
        agent_type=headers.get("x-claude-code-agent-type"),
        role=role_of(headers, request),
        turn=headers.get("x-claude-code-prompt-id"),
        project=unquote(path_project) if path_project else headers.get("x-underspend-project"),
        user_agent=headers.get("user-agent"),
        key=key,
        user=user_of(headers, request),
        billing=billing_mode(headers),
    )

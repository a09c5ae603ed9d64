"""Requests as Claude Code makes them: headers, body, and where its cache breakpoints are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec

from underspend.testing.demo.recording import Block, Call, Message, Session, Thread
from underspend.testing.fake_upstream.replies import UNSIGNED

KEY = "sk-demo-no-key-is-needed"
_BYTES_PER_TOKEN = 4
_STAND_IN = "This text stands in for the client's own instructions, which the recording does not hold. "
_TOOLS_SHARE, _SYSTEM_SHARE = 0.6, 0.25
_FEW_TOOLS = 12
_ADAPTIVE = re.compile(r"claude-(?:opus|sonnet)-4-[6-9]|claude-[a-z]+-[5-9]")
_NAMED = ("Bash", "Edit", "Glob", "Grep", "Read", "Task", "TodoWrite", "WebFetch", "WebSearch", "Write")
_BETAS = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27"
_SUMMARISE = "Your task is to create a detailed summary of the conversation so far."


def filler(tokens: float) -> str:
    """Text of about that many tokens that says what it stands in for."""
    size = max(1, round(tokens * _BYTES_PER_TOKEN))
    return (_STAND_IN * (size // len(_STAND_IN) + 1))[:size]


@dataclass(slots=True)
class Conversation:
    """One thread on its way: what has been said so far, and the requests that say more."""

    session: Session
    thread: Thread
    session_id: str
    _messages: list[Message] = field(default_factory=list)

    def request(self, call: Call) -> tuple[str, dict[str, str], bytes]:
        """Path, headers and body of the next call. Calls are asked for in their order."""
        if call.fresh:
            self._messages = []
        added = list(call.add)
        if not self._messages:
            added[0] = {**added[0], "content": [self._reminder(), *added[0]["content"]]}
        self._messages += added
        path = f"/p/{self.session.project}/v1/messages?beta=true"
        return path, self._headers(call), msgspec.json.encode(self._body(call))

    def answered(self, call: Call) -> None:
        """Keep the reply, for the next request repeats it."""
        self._messages.append({"role": "assistant", "content": signed(call.reply)})

    def _headers(self, call: Call) -> dict[str, str]:
        prompt = sha256(f"{self.session_id} {call.prompt}".encode()).hexdigest()
        found = {
            "accept": "application/json",
            "anthropic-beta": _BETAS,
            "anthropic-version": "2023-06-01",
            "content-type": "application/json",
            "user-agent": f"claude-cli/{self.session.client} (external, cli)",
            "x-api-key": KEY,
            "x-app": "cli",
            "x-claude-code-prompt-id": f"{prompt[:8]}-{prompt[8:12]}-4{prompt[13:16]}-8{prompt[17:20]}-{prompt[20:32]}",
            "x-claude-code-request-class": call.role,
            "x-claude-code-session-id": self.session_id,
        }
        if self.thread.agent is not None:
            found["x-claude-code-agent-id"] = self.thread.agent
            found["x-claude-code-agent-type"] = self.thread.agent_type or ""
        return found

    def _body(self, call: Call) -> dict[str, Any]:
        user = {"device_id": "0" * 64, "account_uuid": "", "session_id": self.session_id}
        adaptive = _ADAPTIVE.match(call.model) is not None
        thinking = {"type": "adaptive"} if adaptive else {"type": "enabled", "budget_tokens": 31_999}
        body: dict[str, Any] = {
            "model": call.model,
            "messages": self._marked(call),
            "system": self._system(),
            "tools": self._tools(),
            "metadata": {"user_id": msgspec.json.encode(user).decode()},
            "max_tokens": 64_000 if adaptive else 32_000,
            "thinking": thinking,
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            "stream": True,
        }
        return {**body, "output_config": {"effort": "high"}} if "opus" in call.model else body

    def _control(self) -> Block:
        return {"type": "ephemeral", "ttl": "1h"} if self.thread.ttl == "1h" else {"type": "ephemeral"}

    def _marked(self, call: Call) -> list[Message]:
        """The messages with a breakpoint on the last block; clients before 2.1 mark the message before it too.

        A compaction's instruction comes after the breakpoint.
        """
        *before, last = self._messages
        if before and self.session.client.startswith(("1.", "2.0.")):
            before[-1] = self._with_mark(before[-1])
        last = self._with_mark(last)
        if call.role == "compaction":
            last["content"].append({"type": "text", "text": _SUMMARISE})
        return [*before, last]

    def _with_mark(self, message: Message) -> Message:
        *blocks, end = message["content"]
        if end["type"] in {"thinking", "redacted_thinking"}:
            return message
        return {**message, "content": [*blocks, {**end, "cache_control": self._control()}]}

    def _system(self) -> list[Block]:
        mark = sha256(self.session_id.encode()).hexdigest()[:3]
        agent = " cc_is_subagent=true;" if self.thread.agent else ""
        billing = f"x-anthropic-billing-header: cc_version={self.session.client}.{mark}; cc_entrypoint=cli;{agent}"
        identity = "You are an agent for software work, played from a recording."
        long = filler(self.thread.unseen * _SYSTEM_SHARE)
        return [
            {"type": "text", "text": billing},
            {"type": "text", "text": identity, "cache_control": self._control()},
            {"type": "text", "text": long, "cache_control": self._control()},
        ]

    def _tools(self) -> list[dict[str, Any]]:
        used = self.thread.tools
        spare = [name for name in _NAMED if name not in used][: max(0, _FEW_TOOLS - len(used))]
        names = sorted([*used, *spare])
        each = self.thread.unseen * _TOOLS_SHARE / len(names)
        return [
            {
                "name": name,
                "description": filler(each),
                "input_schema": {"type": "object", "properties": {key: {} for key in used.get(name, ())}},
            }
            for name in names
        ]

    def _reminder(self) -> Block:
        text = filler(self.thread.unseen * (1 - _TOOLS_SHARE - _SYSTEM_SHARE))
        return {"type": "text", "text": f"<system-reminder>{text}</system-reminder>"}


def signed(reply: list[Block]) -> list[Block]:
    """The reply's blocks as the fake provider sends them: recordings leave signatures out."""
    return [{**block, "signature": UNSIGNED} if block["type"] == "thinking" else block for block in reply]

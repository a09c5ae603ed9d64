"""An agent's session as Claude Code writes it: a typed prompt, then steps of a tool with their results."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

KEY = "sk-ant-api03-of-a-test"
TOOL = {"name": "Bash", "description": "Runs a command.", "input_schema": {"type": "object"}}


@dataclass
class Agent:
    session: str | None = "11111111-aaaa-4bbb-8ccc-222222222222"
    agent: str | None = None
    key: str = KEY
    login: bool = False
    model: str = "claude-haiku-5-5"
    client: str = "claude-cli/2.1.328 (external, cli)"
    messages: list = field(default_factory=list)

    def __post_init__(self):
        self.prompt("Make the tests pass.")

    def prompt(self, text):
        """The user types something."""
        self.messages.append({"role": "user", "content": [{"type": "text", "text": text}]})

    def step(self, command="make test", result="make: error 2", *, failed=True):
        """The model used the tool, and this is what came of it."""
        ref = f"toolu_{len(self.messages)}"
        use = {"type": "tool_use", "id": ref, "name": "Bash", "input": {"command": command}}
        back = {"type": "tool_result", "tool_use_id": ref, "content": result, "is_error": failed}
        self.messages.append({"role": "assistant", "content": [use]})
        self.messages.append({"role": "user", "content": [back]})

    def says(self, text):
        self.messages.append({"role": "assistant", "content": [{"type": "text", "text": text}]})

    def body(self, **more):
        made = {"model": self.model, "max_tokens": 100, "tools": [TOOL], "messages": self.messages, **more}
        return json.dumps(made).encode()

    @property
    def headers(self):
        credential = {"authorization": "Bearer sk-ant-oat01-x"} if self.login else {"x-api-key": self.key}
        named = {"x-claude-code-session-id": self.session, "x-claude-code-agent-id": self.agent}
        made = {"anthropic-version": "2023-06-01", "user-agent": self.client, **credential, **named}
        return {name: value for name, value in made.items() if value is not None}

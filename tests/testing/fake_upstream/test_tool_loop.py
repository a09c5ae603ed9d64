from __future__ import annotations

import json
from typing import Any

from underspend.testing.fake_upstream.replies import Reply
from underspend.testing.fake_upstream.tool_loop import Call, ToolLoop
from underspend.testing.fake_upstream.view import RequestView

READ = Call("Read", {"file_path": "a.txt"})
BASH = Call("Bash", {"command": "ls"})


class Client:
    """A client that runs every tool it is asked to run."""

    def __init__(self, loop: ToolLoop, agent: str | None = None) -> None:
        self.loop = loop
        self.headers = [("x-claude-code-session-id", "s")]
        if agent:
            self.headers.append(("x-claude-code-agent-id", agent))
        self.messages: list[dict[str, Any]] = [{"role": "user", "content": "go"}]

    def ask(self, **body: Any) -> Reply | None:
        asked = {"messages": self.messages, "tools": [{"name": "Read"}], **body}
        return self.loop(RequestView("POST", "/v1/messages", self.headers, json.dumps(asked).encode()))

    def run(self) -> list[str]:
        reply = self.ask()
        assert reply is not None
        calls = [block for block in reply.blocks() if block["type"] == "tool_use"]
        self.messages.append({"role": "assistant", "content": reply.blocks()})
        results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "ok"} for call in calls]
        self.messages.append({"role": "user", "content": results})
        return [call["name"] for call in calls]


def test_rounds_are_asked_in_order_and_then_the_end() -> None:
    client = Client(ToolLoop(READ, [READ, BASH], final="All done.", before="Now:", think="hm"))
    assert client.run() == ["Read"]
    assert client.run() == ["Read", "Bash"]
    assert client.ask() == Reply(content="All done.")
    first = client.messages[1]["content"]
    assert [block["type"] for block in first] == ["thinking", "text", "tool_use"]


def test_a_retried_request_gets_the_same_round() -> None:
    client = Client(ToolLoop(READ, BASH))
    assert client.ask() == client.ask()
    client.run()
    assert client.ask() == client.ask()


def test_progress_survives_a_compaction() -> None:
    client = Client(ToolLoop(READ, BASH))
    client.run()
    client.ask()
    client.messages = [{"role": "user", "content": "This session is being continued."}]
    assert client.run() == ["Bash"]


def test_agents_have_their_own_progress() -> None:
    loop = ToolLoop(READ)
    main, sub = Client(loop), Client(loop, agent="a1")
    assert (main.run(), sub.run()) == (["Read"], ["Read"])
    assert main.ask() == sub.ask() == Reply(content="Done.")


def test_calls_without_tools_and_compactions_are_left_to_others() -> None:
    client = Client(ToolLoop(READ))
    assert client.ask(tools=[]) is None
    client.messages = [{"role": "user", "content": "Your task is to create a detailed summary of this."}]
    assert client.ask() is None


def test_the_end_may_be_any_reply() -> None:
    last = Reply(content="x", stop_reason="max_tokens")
    assert Client(ToolLoop(final=last)).ask() == last


def test_the_rounds_after_a_compaction_are_played_to_the_end() -> None:
    client = Client(ToolLoop(READ, BASH, READ, final="end"))
    client.run()
    client.ask()
    client.messages = [{"role": "user", "content": "This session is being continued."}]
    assert client.run() == ["Bash"]
    assert client.run() == ["Read"]
    assert client.ask() == Reply(content="end")

"""Conversations for the rehearsal of strategies: made up by hypothesis, bundled, and found beside the repository."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from underspend.readers.claude_code.requests import wire_requests
from underspend.testing.demo.client import Conversation
from underspend.testing.demo.recording import sessions

SECOND = 1_000_000
Bodies = list[tuple[int, bytes]]
MODELS = ["claude-opus-4-5-20251101", "claude-haiku-5-5", "claude-sonnet-5-5", "claude-sonnet-4-5-20250929"]
FILES = ["/a.py", "/b.py", "/c.md"]
SIZES = [40, 900, 9_000, 30_000]


def _use(number: int, kind: int, file: str) -> dict[str, Any]:
    name = ["Read", "Edit", "Bash", "Grep", "Task"][kind]
    given = {
        "Read": {"file_path": file},
        "Edit": {"file_path": file, "old_string": "a", "new_string": "b"},
        "Bash": {"command": f"cat {file}"},
        "Grep": {"pattern": "x", "path": file},
        "Task": {"prompt": f"look at {file}", "subagent_type": "Explore"},
    }[name]
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}


def _result(use: dict[str, Any], size: int, *, listed: bool, failed: bool) -> dict[str, Any]:
    subject = json.dumps(use["input"])
    said = (subject + " line\n") * (size // (len(subject) + 6) + 1)
    made: dict[str, Any] = {"tool_use_id": use["id"], "type": "tool_result"}
    made["content"] = [{"type": "text", "text": said}] if listed else said
    return made | ({"is_error": True} if failed else {})


STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "thinks": st.booleans(),
            "uses": st.lists(
                st.tuples(
                    st.integers(0, 4), st.sampled_from(FILES), st.sampled_from(SIZES), st.booleans(), st.integers(0, 9)
                ),
                max_size=3,
            ),
            "crowd": st.integers(0, 19).map(lambda each: 24 if each == 0 else 0),
            "says": st.integers(1, 400),
            "idle": st.sampled_from([5, 20, 20, 60, 320, 400, 1500, 4000]),
        }
    ),
    min_size=2,
    max_size=14,
)
CLIENTS = st.sampled_from(["none", "system", "5m", "1h", "top"])


@st.composite
def conversations(draw: st.DrawFn) -> Bodies:
    """The bodies of one conversation with the times they are sent, each the one before and more."""
    body: dict[str, Any] = {"model": draw(st.sampled_from(MODELS)), "max_tokens": 8_000}
    if draw(st.booleans()):
        body["output_config"] = {"effort": "high"}
    body["system"] = [{"type": "text", "text": "You help. " * draw(st.sampled_from([10, 2_000]))}]
    body["tools"] = [{"name": "Read", "description": "reads", "input_schema": {"type": "object"}}]
    client, messages = draw(CLIENTS), [{"role": "user", "content": "look at it"}]
    at, number, made = 0, 0, Bodies()
    made.append((at, _sent(body, messages, client)))
    for step in draw(STEPS):
        uses, results = [], []
        for kind, file, size, listed, luck in [*step["uses"], *[(0, "/a.py", 40, False, 5)] * step["crowd"]]:
            uses.append(_use(number, kind, file))
            results.append(_result(uses[-1], size, listed=listed, failed=luck == 0))
            number += 1
        thought = [{"type": "thinking", "thinking": "hm", "signature": f"s{number}"}] if step["thinks"] else []
        messages.append(
            {"role": "assistant", "content": [*thought, {"type": "text", "text": "w " * step["says"]}, *uses]}
        )
        messages.append({"role": "user", "content": results or "go on, please"})
        at += step["idle"] * SECOND
        made.append((at, _sent(body, messages, client)))
    return made


def _sent(body: dict[str, Any], messages: list[dict[str, Any]], client: str) -> bytes:
    """The bytes as a client with these habits writes them; like Claude Code it writes the last message as a list."""
    made = json.loads(json.dumps({**body, "messages": messages}))
    control = {"type": "ephemeral"} | ({"ttl": "1h"} if client == "1h" else {})
    if client in {"system", "5m", "1h"}:
        made["system"][-1]["cache_control"] = control
    if client in {"5m", "1h"}:
        last = made["messages"][-1]
        if isinstance(last["content"], str):
            last["content"] = [{"type": "text", "text": last["content"]}]
        last["content"][-1]["cache_control"] = control
    if client == "top":
        made["cache_control"] = control
    return json.dumps(made, indent=1 if len(messages) % 4 == 1 else None).encode()


def bundled(most_calls: int) -> Iterator[Bodies]:
    """The first calls of the real sessions that come with the demo: main loops and sub-agents."""
    for session in sessions():
        for thread in session.threads:
            conversation = Conversation(session, thread, session.id)
            made = Bodies()
            for call in itertools.islice(thread.calls, most_calls):
                made.append((call.at * 1_000, conversation.request(call)[2]))
                conversation.answered(call)
            yield made


def found_beside() -> Iterator[Bodies]:
    """Real conversations of newer clients from a data folder beside the repository, where there is one."""
    for folder in sorted(Path(__file__).parents[3].glob("*/data/claude-code-*")):
        for path in sorted(folder.rglob("*.jsonl")):
            made: dict[tuple[str | None, str | None], Bodies] = {}
            for request in wire_requests(path):
                key = (request.agent, request.purpose)
                made.setdefault(key, []).append((request.at, json.dumps(request.body, ensure_ascii=False).encode()))
            yield from (sorted(bodies, key=lambda each: each[0]) for bodies in made.values())

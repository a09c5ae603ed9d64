from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from testing.fake_upstream.exchange import MODEL, Ask, fetch, message
from underspend.testing.fake_upstream import (
    Call,
    FakeUpstream,
    Fault,
    PriceList,
    Queue,
    Recorded,
    Reply,
    ToolLoop,
    run_in_thread,
)
from underspend.testing.fake_upstream.messages import workspace_of

CACHED = {"cache_control": {"type": "ephemeral"}}
LONG = "x" * 4000


def lanes(usage: dict[str, Any]) -> tuple[int, int]:
    return usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_is_written_and_then_read(say: Ask, stream: bool) -> None:
    first = say(LONG, **CACHED)
    written = first.json["usage"]["cache_creation_input_tokens"]
    again = say(LONG, stream=stream, **CACHED)
    usage = again.events[0]["message"]["usage"] if stream else again.json["usage"]
    assert written > 1000
    assert lanes(usage) == (0, written)


def test_a_failed_request_caches_nothing(up: FakeUpstream, say: Ask) -> None:
    up.script = Queue([Fault(status=529)])
    assert say(LONG, **CACHED).status == 529
    assert say(LONG, **CACHED).json["usage"]["cache_read_input_tokens"] == 0
    assert [row.bill.picodollars > 0 for row in up.requests] == [False, True]


def test_the_clock_expires_the_cache(up: FakeUpstream, say: Ask) -> None:
    say(LONG, **CACHED)
    up.clock.advance(299)
    assert say(LONG, **CACHED).json["usage"]["cache_read_input_tokens"] > 0
    up.clock.advance(301)
    assert say(LONG, **CACHED).json["usage"]["cache_read_input_tokens"] == 0


def test_prewarming_writes_for_the_next_request(say: Ask) -> None:
    warmed = say(LONG, max_tokens=0, **CACHED).json
    assert (warmed["content"], warmed["usage"]["output_tokens"]) == ([], 0)
    assert say(LONG, **CACHED).json["usage"]["cache_read_input_tokens"] > 0


def test_counting_agrees_with_billing(ask: Ask, say: Ask) -> None:
    counted = ask("/v1/messages/count_tokens?beta=true", {k: v for k, v in message(LONG).items() if k != "max_tokens"})
    usage = say(LONG, **CACHED).json["usage"]
    assert counted.json["input_tokens"] == usage["input_tokens"] + sum(lanes(usage))


def test_a_prompt_that_is_too_long_is_refused_in_the_words_clients_look_for() -> None:
    with run_in_thread(max_prompt_tokens=100) as up:
        got = fetch(up, body=message(LONG))
    assert got.status == 400
    assert got.json["error"]["message"].startswith("prompt is too long: 10")
    assert got.json["error"]["message"].endswith(" tokens > 100 maximum")


def test_unknown_models_are_refused_or_served_without_a_price() -> None:
    body = {**message(), "model": "claude-next"}
    with run_in_thread() as up:
        assert fetch(up, body=body).json["error"]["message"] == "model: claude-next"
    with run_in_thread(serve_unknown=True) as up:
        assert fetch(up, body=body).status == 200
        assert up.requests[-1].bill.unpriced == ("claude-next",)


def test_workspaces_follow_credential_mapping_and_header() -> None:
    assert (workspace_of("k@team"), workspace_of("k"), workspace_of(None)) == ("team", "k", "")
    body = message(LONG, **CACHED)
    with run_in_thread(workspaces={"k3": "team"}) as up:
        fetch(up, body=body, key="k1@team")
        asked: list[tuple[str, dict[str, str], bool]] = [
            ("k2@team", {}, True),
            ("k3", {}, True),
            ("k4", {}, False),
            ("k5", {"anthropic-workspace-id": "team"}, True),
        ]
        for key, headers, shared in asked:
            read = fetch(up, body=body, key=key, headers=headers).json["usage"]["cache_read_input_tokens"]
            assert (read > 0) is shared


def test_prices_can_be_injected() -> None:
    class OutputOnly(PriceList):
        def rates(self, model: str, prompt_tokens: int = 0, speed: str = "standard") -> Mapping[str, int] | None:
            rates = super().rates(model, prompt_tokens, speed)
            return rates and {**dict.fromkeys(rates, 0), "output": 7}

        def min_cache_tokens(self, model: str) -> int:
            return super().min_cache_tokens(model) // 512

    with run_in_thread(Queue([Reply(content="abcdefgh")]), prices=OutputOnly()) as up:
        got = fetch(up, body=message(**CACHED))
        assert up.bill().picodollars == 14
    assert got.json["usage"]["cache_creation_input_tokens"] > 0


def test_a_recorded_message_is_billed_by_its_own_usage(up: FakeUpstream, say: Ask) -> None:
    usage = {"input_tokens": 10, "output_tokens": 1}
    body = json.dumps({"id": "msg_x", "type": "message", "model": MODEL, "usage": usage, "content": [{}]}).encode()
    up.script = Queue([Recorded(body=body), Recorded(status=503, body=b"<html>")])
    assert say().body == body
    assert say().status == 503
    assert [(row.message_id, row.bill.picodollars) for row in up.requests] == [("msg_x", 60_000_000), (None, 0)]


def test_the_remaining_limit_falls_by_what_was_not_read_from_the_cache(up: FakeUpstream, say: Ask) -> None:
    name = "anthropic-ratelimit-input-tokens-remaining"
    up.clock.advance(0)
    limits = [int(say(LONG, **CACHED).headers[name]) for _ in range(3)]
    assert limits[1] - limits[2] < 10
    assert say().headers["anthropic-ratelimit-requests-limit"] == "4000"


def test_a_scripted_header_is_added(up: FakeUpstream, say: Ask) -> None:
    up.script = Queue([Reply(content="x", headers={"x-extra": "1"})])
    assert say().headers["x-extra"] == "1"


class Conversation:
    """A client that writes its requests as Claude Code does.

    Breakpoints stand on two system blocks and on the last block; a text is a block with a breakpoint while it is
    last and a plain string afterwards; `role: system` messages stand among the others.
    """

    def __init__(self, up: FakeUpstream) -> None:
        self.up = up
        self.history: list[dict[str, Any]] = [
            {
                "role": "user",
                "content": [{"type": "text", "text": "<reminder>" + "c" * 3000}, {"type": "text", "text": "Go"}],
            },
            {"role": "system", "content": "environment " * 300},
        ]
        self.tools = [{"name": f"Tool{n}", "description": "d" * 2500, "input_schema": {}} for n in range(12)]

    def send(self, text: str | None = None) -> dict[str, Any]:
        if text is not None:
            self.history.append({"role": "user", "content": text})
        last = self.history[-1]
        content = last["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        marked = [*blocks[:-1], {**blocks[-1], "cache_control": {"type": "ephemeral"}}]
        cached = {"type": "text", "text": "s" * 4000, "cache_control": {"type": "ephemeral"}}
        body = message(
            tools=self.tools,
            system=[{"type": "text", "text": "billing"}, cached, cached],
            thinking={"type": "adaptive", "display": "omitted"},
            output_config={"effort": "medium"},
        )
        body["messages"] = [*self.history[:-1], {**last, "content": marked}]
        got = fetch(self.up, "/v1/messages?beta=true", body, headers={"x-claude-code-session-id": "s"}).json
        self.history.append({"role": "assistant", "content": got["content"]})
        results = [
            {"tool_use_id": block["id"], "type": "tool_result", "content": "r" * 400}
            for block in got["content"]
            if block["type"] == "tool_use"
        ]
        if results:
            self.history.append({"role": "user", "content": results})
        return dict(got["usage"])


def test_a_tool_loop_as_claude_code_runs_it_reads_nearly_everything_from_the_cache(up: FakeUpstream) -> None:
    up.script = ToolLoop(*[[Call("Tool1", {"n": n}), Call("Tool2", {})] for n in range(12)], before="Next.")
    talk = Conversation(up)
    usages = [talk.send() for _ in range(13)]
    usages += [talk.send("And more"), talk.send("And again")]
    first, later = usages[0], usages[1:]
    assert lanes(first)[1] == 0
    assert all(usage["input_tokens"] == 0 for usage in usages)
    for before, after in zip(usages, later, strict=False):
        assert lanes(after)[1] == sum(lanes(before))
    read, prompt = sum(lanes(u)[1] for u in later), sum(sum(lanes(u)) for u in later)
    assert read / prompt > 0.97
    assert set(up.bill_by_session()) == {"s"}

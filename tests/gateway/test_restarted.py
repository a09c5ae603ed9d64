"""What was done in a conversation is done again by the next gateway on the same ledger."""

import json

import pytest
import running

from underspend.testing.fake_upstream import Call, ToolLoop, run_in_thread

TRIM = '[strategies.trim_results]\nstate = "on"\n'
LOWER = '[strategies.thinking_effort]\nstate = "on"\nsamples = 1\nshort_reply = 9000\nroles = ["unknown", "main"]\n'
SESSION = {"x-claude-code-session-id": "6f1b1c9e-8f0e-4f43-9a55-0d2f4a1c7be2"}


class Client:
    """Goes on in one conversation, whichever gateway it is."""

    def __init__(self, headers, result, **more):
        self.headers = {"x-api-key": "sk-ant-api03-test", "anthropic-version": "2023-06-01", **headers}
        self.result, self.more = result, more
        self.messages = [{"role": "user", "content": "x" * 40_000}]

    def ask(self, gateway):
        body = {"model": "claude-opus-5-5", "max_tokens": 900, "messages": self.messages, **self.more}
        body["tools"] = [{"name": "Bash", "description": "runs", "input_schema": {"type": "object"}}]
        status, _, said = gateway.post("/v1/messages", body, self.headers)
        assert status == 200, said
        content = json.loads(said)["content"]
        self.messages.append({"role": "assistant", "content": content})
        results = [
            {"type": "tool_result", "tool_use_id": part["id"], "content": self.result}
            for part in content
            if part["type"] == "tool_use"
        ]
        self.messages.append({"role": "user", "content": results or "go on"})


@pytest.fixture
def fake():
    with run_in_thread(ToolLoop(*(Call("Bash", {"command": str(n)}) for n in range(20))), keep_bodies=True) as made:
        yield made


def twice(fake, home, client, config, calls=5):
    """Some calls by one gateway and one by the next; the bodies that the provider saw."""
    for count in (calls, 2):
        gateway = running.start(home, fake.url, config=config)
        for _ in range(count):
            client.ask(gateway)
        assert gateway.status()["faults"] == []
        gateway.stop()
        gateway.process.stdout.close()
    return [seen.json if hasattr(seen, "json") else json.loads(seen.body) for seen in fake.requests]


def marks(body):
    return json.dumps(body).count('"cache_control"')


@pytest.mark.parametrize("headers", [{}, SESSION], ids=["no session", "session"])
def test_what_was_marked_is_marked_again(fake, tmp_path, headers):
    bodies = twice(fake, tmp_path, Client(headers, "short"), "")
    assert marks(bodies[0]) == 0
    assert marks(bodies[4]) > 0
    assert marks(bodies[5]) == marks(bodies[4])
    read = [seen.usage["cache_read_input_tokens"] for seen in fake.requests]
    assert read[5] > 0.9 * sum(seen for seen in [read[4]])


@pytest.mark.parametrize("headers", [{}, SESSION], ids=["no session", "session"])
def test_what_was_shortened_is_shortened_again_though_the_strategy_is_off(fake, tmp_path, headers):
    client = Client(headers, "a line of it\n" * 2_000)
    first = running.start(tmp_path, fake.url, config=TRIM)
    for _ in range(3):
        client.ask(first)
    first.stop()
    first.process.stdout.close()
    second = running.start(tmp_path, fake.url, config=TRIM.replace('"on"', '"off"'))
    client.ask(second)
    second.stop()
    second.process.stdout.close()
    bodies = [json.loads(seen.body) for seen in fake.requests]
    said = [
        part["content"]
        for message in bodies[3]["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "tool_result"
    ]
    assert ["characters left out" in str(each) for each in said] == [True, True, False]


def test_a_lowered_effort_stays_low(fake, tmp_path):
    client = Client(SESSION, "short", output_config={"effort": "high"})
    warm = Client({}, "short", output_config={"effort": "high"})
    gateway = running.start(tmp_path, fake.url, config=LOWER)
    for _ in range(2):
        warm.ask(gateway)
    for _ in range(3):
        client.ask(gateway)
    gateway.stop()
    gateway.process.stdout.close()
    again = running.start(tmp_path, fake.url, config=LOWER)
    client.ask(again)
    again.stop()
    again.process.stdout.close()
    efforts = [json.loads(seen.body)["output_config"]["effort"] for seen in fake.requests]
    assert efforts[2:] == ["low"] * 4

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import pytest

from testing.fake_upstream.exchange import MODEL, Ask, message
from underspend.testing.fake_upstream import (
    FakeUpstream,
    Fault,
    Growth,
    Queue,
    Reply,
    Routed,
    run_in_thread,
    server_tool,
    thinking,
    tool_use,
)

HI: Any = [{"role": "user", "content": "Hi"}]


def test_it_runs_inside_an_event_loop() -> None:
    async def talk() -> str:
        async with (
            FakeUpstream(Queue([Reply(content="Hello there")])) as up,
            anthropic.AsyncAnthropic(base_url=up.url, api_key="k") as client,
        ):
            said = await client.messages.create(model=MODEL, max_tokens=99, messages=HI)
        return said.content[0].text if said.content[0].type == "text" else ""

    assert asyncio.run(talk()) == "Hello there"


def test_the_sdk_streams_every_kind_of_block(up: FakeUpstream) -> None:
    search = server_tool("web_search", {"query": "q"}, [])
    blocks = (thinking("Let me see."), "Searching.", *search, tool_use("Read", {"file_path": "a", "n": [1]}))
    up.script = Queue([Reply(content=blocks, web_searches=1, unknown_event=True, growth=Growth(input_tokens=50))])
    with (
        anthropic.Anthropic(base_url=up.url, api_key="k") as client,
        client.messages.stream(model=MODEL, max_tokens=9999, messages=HI) as stream,
    ):
        said = stream.get_final_message()
    assert [b.type for b in said.content] == [
        "thinking",
        "text",
        "server_tool_use",
        "web_search_tool_result",
        "tool_use",
    ]
    call = said.content[-1]
    assert call.type == "tool_use"
    assert call.input == {"file_path": "a", "n": [1]}
    assert said.stop_reason == "tool_use"
    row = up.requests[-1]
    assert row.usage is not None
    assert (said.usage.input_tokens, said.usage.output_tokens) == (
        row.usage["input_tokens"],
        row.usage["output_tokens"],
    )
    assert said.usage.server_tool_use is not None
    assert said.usage.server_tool_use.web_search_requests == 1


def test_a_stream_and_a_json_answer_say_the_same(up: FakeUpstream) -> None:
    up.script = Queue([], default=Reply(content=("Some text", tool_use("t", {"a": 1}, tool_id="toolu_same"))))
    with anthropic.Anthropic(base_url=up.url, api_key="k") as client:
        whole = client.messages.create(model=MODEL, max_tokens=999, messages=HI)
        with client.messages.stream(model=MODEL, max_tokens=999, messages=HI) as stream:
            streamed = stream.get_final_message()
    assert [b.model_dump() for b in whole.content] == [
        {k: v for k, v in b.model_dump().items() if k != "parsed_output"} for b in streamed.content
    ]
    assert whole.usage.model_dump() == streamed.usage.model_dump()
    assert whole.stop_reason == streamed.stop_reason


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (413, anthropic.APIStatusError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.APIStatusError),
    ],
)
def test_errors_as_the_sdk_sees_them(up: FakeUpstream, status: int, error: type[anthropic.APIStatusError]) -> None:
    headers = {"x-fake-status": str(status)}
    with anthropic.Anthropic(base_url=up.url, api_key="k", max_retries=0) as client, pytest.raises(error) as caught:
        client.messages.create(model=MODEL, max_tokens=9, messages=HI, extra_headers=headers)
    assert caught.value.status_code == status
    assert caught.value.request_id == up.requests[-1].request_id


def test_the_sdk_retries_a_scripted_outage(up: FakeUpstream) -> None:
    up.script = Queue([Fault(status=529, headers={"retry-after-ms": "1"})] * 2)
    with anthropic.Anthropic(base_url=up.url, api_key="k") as client:
        client.messages.create(model=MODEL, max_tokens=99, messages=HI)
    assert [row.status for row in up.requests] == [529, 529, 200]


def test_counting_with_the_sdk(up: FakeUpstream) -> None:
    with anthropic.Anthropic(base_url=up.url, api_key="k") as client:
        counted = client.messages.count_tokens(model=MODEL, messages=HI, system="x" * 400)
    assert counted.input_tokens > 100


def test_requests_are_recorded_as_they_came() -> None:
    with run_in_thread(keep_bodies=True) as up:
        with anthropic.Anthropic(base_url=up.url, api_key="secret") as client:
            client.beta.messages.create(model=MODEL, max_tokens=99, messages=HI, betas=["some-beta"])
        row = up.requests[-1]
    assert row.target == "/v1/messages"
    assert row.header("authorization") == "Bearer secret"
    assert row.header("anthropic-beta") == "some-beta"
    assert row.body is not None
    assert len(row.body) == row.body_bytes


def test_answers_carry_ids_and_limits(say: Ask) -> None:
    first, second = say(), say()
    assert first.headers["request-id"].startswith("req_")
    assert first.headers["anthropic-organization-id"]
    assert first.headers["anthropic-ratelimit-tokens-reset"].endswith("Z")
    assert first.json["id"] != second.json["id"]
    assert first.headers["request-id"] != second.headers["request-id"]


def test_sessions_are_billed_apart(up: FakeUpstream, say: Ask) -> None:
    for session in ("a", "b", "a"):
        say(headers={"x-claude-code-session-id": session})
    bills = up.bill_by_session()
    assert bills["a"].picodollars == 2 * bills["b"].picodollars > 0
    assert up.bill() == bills["a"] + bills["b"]
    assert up.bill_by_model()[MODEL] == up.bill()


def test_the_script_sees_the_request(up: FakeUpstream, say: Ask) -> None:
    up.script = Routed(sessions={"s": lambda view: Reply(content=f"{view.role} {view.last_text}")})
    assert say("Ping", headers={"x-claude-code-session-id": "s"}).json["content"][0]["text"] == "side Ping"


def test_a_port_and_a_tag_can_be_chosen() -> None:
    with run_in_thread(tag="t1") as up:
        port = int(up.url.rsplit(":", 1)[1])
    with run_in_thread(tag="t2", port=port) as up:
        assert up.url.endswith(str(port))
    with pytest.raises(TypeError):
        FakeUpstream(colour="blue")


def test_stopping_twice_is_harmless_and_a_stalled_client_does_not_hold_it() -> None:
    async def run() -> float:
        up = FakeUpstream()
        await up.start()
        async with anthropic.AsyncAnthropic(base_url=up.url, api_key="k", max_retries=0) as client:
            slow = {"x-fake-stall-ms": "60000"}
            call = client.messages.create(**message(), stream=True, extra_headers=slow)
            await call
            started = asyncio.get_running_loop().time()
            await up.stop()
            await up.stop()
            return asyncio.get_running_loop().time() - started

    assert asyncio.run(run()) < 5

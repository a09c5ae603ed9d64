"""The official Anthropic SDK through the gateway: every surface works, and what is billed is in the ledger."""

import anthropic
import pytest
import running

from underspend.testing.fake_upstream import Delivery, Fault, Queue, Reply, run_in_thread, tool_use

HELLO = [{"role": "user", "content": "hello there"}]


@pytest.fixture(scope="module")
def fake():
    with run_in_thread(keep_bodies=True) as made:
        yield made


@pytest.fixture(scope="module")
def through(fake, tmp_path_factory):
    made = running.start(tmp_path_factory.mktemp("sdk"), fake.url)
    yield made
    made.stop()
    made.process.stdout.close()


@pytest.fixture
def client(through, fake):
    fake.script = None
    with anthropic.Anthropic(base_url=f"{through.url}/p/sdk", api_key="sk-ant-api03-test", max_retries=0) as made:
        yield made


def billed(through, message_id):
    return through.rows(f"message_id = '{message_id}'", wait_for=1)[0]


def truth(fake, message_id):
    return next(seen.bill.picodollars for seen in fake.requests if seen.message_id == message_id)


def test_a_message(client, through, fake):
    reply = client.messages.create(model="claude-haiku-5-5", max_tokens=50, messages=HELLO)
    row = billed(through, reply.id)
    assert row["cost_pico"] == truth(fake, reply.id) > 0
    assert (row["project"], row["role"], row["billing"]) == ("sdk", "unknown", "api_key")
    assert fake.requests[-1].header("anthropic-version") == "2026-10-21"


def test_a_stream_with_tools_and_a_one_hour_cache(client, through, fake):
    fake.script = Queue([Reply(content=("Looking.", tool_use("look", {"at": "it"})))])
    system = [{"type": "text", "text": "word " * 4000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    tools = [{"name": "look", "description": "look", "input_schema": {"type": "object"}}]
    with client.messages.stream(
        model="claude-opus-5-5", max_tokens=500, system=system, tools=tools, messages=HELLO
    ) as stream:
        reply = stream.get_final_message()
    assert reply.stop_reason == "tool_use"
    row = billed(through, reply.id)
    assert row["cache_write_1h_tokens"] == reply.usage.cache_creation_input_tokens > 4000
    assert row["cost_pico"] == truth(fake, reply.id)


def test_counting_tokens_costs_nothing_and_is_kept(client, through):
    count = client.messages.count_tokens(model="claude-opus-5-5", messages=HELLO)
    assert count.input_tokens > 0
    row = through.rows("endpoint = 'count_tokens'", wait_for=1)[-1]
    assert (row["cost_pico"], row["outcome"]) == (0, "ok")


def test_a_batch_stays_on_the_gateway_and_each_result_is_billed_once(client, through, fake):
    params = {"model": "claude-opus-5-5", "max_tokens": 20, "messages": HELLO}
    requests = [{"custom_id": f"c{number}", "params": params} for number in range(3)]
    batch = client.messages.batches.create(requests=requests)
    found = client.messages.batches.retrieve(batch.id)
    assert found.results_url.startswith(f"{through.url}/p/sdk/v1/messages/batches/")
    for _ in range(2):
        results = list(client.messages.batches.results(batch.id))
    assert len(results) == 3
    rows = through.rows("endpoint = 'batch_result'", wait_for=3)
    assert len(rows) == 3
    for result in results:
        message = result.result.message
        assert billed(through, message.id)["cost_pico"] == truth(fake, message.id)
    assert client.messages.batches.list().data[0].results_url.startswith(through.url)
    asked = [seen.path for seen in fake.requests if seen.path.endswith("/results")]
    assert len(asked) == 2, "the SDK fetched the results past the gateway"


def test_models_and_files(client):
    assert any(model.id == "claude-opus-5-5" for model in client.models.list())
    made = client.beta.files.upload(file=("a.txt", b"content of the file", "text/plain"))
    assert client.beta.files.retrieve_metadata(made.id).filename == "a.txt"
    assert client.beta.files.download(made.id).read() == b"content of the file"
    client.beta.files.delete(made.id)


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
def test_errors_are_the_providers(client, fake, status, error):
    fake.script = Queue([Fault(status=status, message="the provider's own words")])
    with pytest.raises(error, match="the provider's own words") as caught:
        client.messages.create(model="claude-opus-5-5", max_tokens=5, messages=HELLO)
    assert caught.value.status_code == status
    assert caught.value.request_id.startswith("req_")


def test_a_compressed_reply(client, through, fake):
    fake.script = Queue([Reply(content="hello " * 50, delivery=Delivery(gzip=True, chunk_bytes=7))])
    reply = client.messages.create(model="claude-sonnet-5-5", max_tokens=500, messages=HELLO)
    assert billed(through, reply.id)["cost_pico"] == truth(fake, reply.id) > 0


def test_a_bearer_key_and_an_unknown_path(through, fake):
    import http.client
    from contextlib import closing

    with closing(http.client.HTTPConnection("127.0.0.1", through.port)) as connection:
        connection.request("GET", "/v1/nothing?x=1", headers={"authorization": "Bearer sk-ant-api03-test"})
        response = connection.getresponse()
        assert response.status == 404
        assert b"not_found_error" in response.read()
    assert fake.requests[-1].target == "/v1/nothing?x=1"


def test_everything_the_provider_billed_is_in_the_ledger(through, fake):
    total = sum(row["cost_pico"] for row in through.rows(wait_for=3))
    assert total == fake.bill().picodollars > 0

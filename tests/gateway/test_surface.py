"""The OpenAI-compatible surface of a running gateway, and what no client can do to it."""

import json
import socket

import openai
import pytest
import running
from raw_upstream import RawUpstream, reply

from underspend.testing.fake_upstream import Reply, run_in_thread
from underspend.testing.fake_upstream.chat_format import CHAT
from underspend.testing.fake_upstream.foreign import Turn, foreign_in_thread

HELLO = [{"role": "user", "content": "hello"}]
OURS = "sk-ours-0123456789"


@pytest.fixture(scope="module")
def elsewhere():
    with foreign_in_thread(CHAT, lambda heard: Turn(text="From elsewhere.")) as up:
        yield up


@pytest.fixture(scope="module")
def claude():
    with run_in_thread(lambda view: Reply(content="From Claude."), keep_bodies=True) as up:
        yield up


@pytest.fixture(scope="module")
def gateway(claude, elsewhere, tmp_path_factory):
    home = tmp_path_factory.mktemp("surface")
    key = home / "key"
    key.write_text(OURS)
    key.chmod(0o600)
    table = f'[providers.other]\nkind = "fake"\ndialect = "openai"\nbase_url = "{elsewhere.url}"\nkey = "file:{key}"\n'
    made = running.start(home, claude.url, config=table)
    yield made
    made.stop()
    made.process.stdout.close()
    assert OURS not in (home / "stderr.log").read_text()
    left = [path for path in home.rglob("*") if path.is_file() and path != key and OURS.encode() in path.read_bytes()]
    assert left == [], "a key is in no file but its own"


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-ant-api03-mine", max_retries=0) as made:
        yield made


def test_claude_is_answered_in_openai_s_dialect(client, gateway, claude):
    said = client.chat.completions.create(model="claude-opus-5-5", messages=HELLO, max_completion_tokens=50)
    assert said.choices[0].message.content == "From Claude."
    assert claude.requests[-1].header("x-api-key") == "sk-ant-api03-mine"
    row = gateway.rows("endpoint = 'chat'", wait_for=1)[-1]
    assert row["cost_pico"] == claude.requests[-1].bill.picodollars > 0
    assert (row["provider"], row["model_asked"], row["evidence"]) == ("anthropic", "claude-opus-5-5", "billed")


def test_breakpoints_in_the_extra_body_reach_anthropic(client, claude):
    marked = [{"type": "text", "text": "long " * 5_000, "cache_control": {"type": "ephemeral"}}]
    said = client.chat.completions.create(model="claude-opus-5-5", messages=[{"role": "user", "content": marked}])
    assert json.loads(claude.requests[-1].body)["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert said.usage.prompt_tokens > 5_000
    client.chat.completions.create(
        model="claude-opus-5-5", messages=HELLO, extra_body={"cache_control": {"type": "ephemeral"}}
    )
    assert json.loads(claude.requests[-1].body)["cache_control"] == {"type": "ephemeral"}


def test_a_stream_ends_with_its_usage_when_asked_for(client):
    ask = {"model": "claude-opus-5-5", "messages": HELLO, "stream": True}
    *_, last = list(client.chat.completions.create(**ask, stream_options={"include_usage": True}))
    assert last.choices == []
    assert last.usage.completion_tokens > 0
    chunks = list(client.chat.completions.create(**ask))
    assert all(chunk.usage is None for chunk in chunks)


def test_embeddings_are_forwarded_and_billed(client, gateway):
    made = client.embeddings.create(model="other/text-embedding-3-small", input="hello", encoding_format="float")
    assert made.data[0].embedding == [0.25, -0.5]
    row = gateway.rows("endpoint = 'embeddings'", wait_for=1)[-1]
    assert (row["input_tokens"], row["unpriced"], row["model_sent"]) == (100, None, "text-embedding-3-small")
    assert row["cost_pico"] > 0


@pytest.mark.parametrize("prefix", ["", "/openai"])
def test_the_models_are_listed(gateway, prefix):
    with openai.OpenAI(base_url=f"{gateway.url}{prefix}/v1", api_key="k") as client:
        names = [model.id for model in client.models.list()]
    assert {"claude-opus-5-5", "other/gpt-5.5"} <= set(names)


@pytest.mark.parametrize("prefix", ["/openai", "/p/mine/openai"])
def test_a_prefix_names_the_dialect(gateway, prefix):
    with openai.OpenAI(base_url=f"{gateway.url}{prefix}/v1", api_key="k") as client:
        said = client.chat.completions.create(model="other/gpt-5.5", messages=HELLO)
    assert said.choices[0].message.content == "From elsewhere."


def test_errors_come_in_openai_s_form(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nobody-has-it", messages=HELLO)
    assert "no provider is configured" in caught.value.message
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="claude-opus-5-5", messages=[])


EVIL = "http://{host}:{port}"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost", "x-forwarded-host": "{evil}"},
        {"x-upstream": "http://{evil}", "x-base-url": "http://{evil}", "x-api-base": "http://{evil}"},
        {"x-underspend-upstream": "http://{evil}", "x-underspend-provider": "http://{evil}"},
        {"forwarded": "host={evil}", "x-original-url": "http://{evil}/v1/messages"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_no_client_names_an_upstream(gateway, path, headers):
    with RawUpstream(lambda received: iter([reply(b"{}")])) as evil:
        host = evil.url.removeprefix("http://")
        fields = {
            "base_url": evil.url,
            "api_base": evil.url,
            "upstream": evil.url,
            "provider": {"base_url": evil.url},
            "extra_body": {"base_url": evil.url},
        }
        said = {name: value.format(evil=host) for name, value in headers.items()}
        for model in ("claude-opus-5-5", "other/gpt-5.5", f"{evil.url}/gpt", f"other/{evil.url}"):
            body = {"model": model, "max_tokens": 9, "messages": HELLO, **fields}
            gateway.post(path, body, {"x-api-key": "k", **said})
        assert evil.received == []


@pytest.mark.parametrize("target", ["http://{evil}/v1/messages", "//{evil}/v1/messages", "/v1/messages@{evil}"])
def test_nor_does_a_request_line(gateway, target):
    with RawUpstream(lambda received: iter([reply(b"{}")])) as evil:
        host = evil.url.removeprefix("http://")
        body = json.dumps({"model": "claude-opus-5-5", "max_tokens": 9, "messages": HELLO}).encode()
        line = f"POST {target.format(evil=host)} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: k\r\n"
        head = f"{line}content-length: {len(body)}\r\n"
        with socket.create_connection(("127.0.0.1", gateway.port), 10) as link:
            link.sendall(head.encode() + b"connection: close\r\n\r\n" + body)
            while link.recv(65536):
                pass
        assert evil.received == []


def test_a_host_that_is_not_ours_is_not_let_in(gateway):
    status, _, said = gateway.post("/v1/chat/completions", {}, {"host": "evil.example"})
    assert status == 403
    assert b"evil.example" in said


def test_a_model_s_name_cannot_break_out_of_a_header_or_a_path(gateway, elsewhere):
    before = len(elsewhere.requests)
    body = {"model": "other/x\r\nx-evil: 1", "max_tokens": 9, "messages": HELLO}
    status, headers, _ = gateway.post("/v1/messages", body, {"x-api-key": "k"})
    assert status == 200
    assert "x-evil" not in headers
    assert "x-evil" not in elsewhere.requests[before].headers


def test_the_upstream_may_speak_both_dialects(start):
    said = b'{"usage":{"prompt_tokens":3,"completion_tokens":2},"model":"gpt-5.5"}'
    with RawUpstream(lambda received: iter([reply(said, headers=(b"content-type: application/json",))])) as both:
        made = start(both.url, config='[upstream]\nopenai = "forward"\n')
        raw = b'{ "model": "gpt-5.5", "messages": [] , "x": 1.0 }'
        status, _, told = made.post("/v1/chat/completions", raw, {"authorization": "Bearer theirs"})
        assert (status, told) == (200, said)
        assert both.received[0].body == raw
        assert both.received[0].header(b"authorization") == b"Bearer theirs"
        assert made.rows(wait_for=1)[0]["input_tokens"] == 3

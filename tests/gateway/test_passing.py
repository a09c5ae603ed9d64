"""The way back, with every port in memory."""

import asyncio
import gzip
import json

import pytest
from doubles import Asked, Told, Upstream, body, pipeline

from targets import Limited, chat, chat_stream, to
from underspend.gateway.passing import as_events, whole
from underspend.gateway.routes import classify
from underspend.gateway.transport import UpstreamCutError, UpstreamReply

HELLO = [{"role": "user", "content": "hello"}]
STREAM = b"text/event-stream"
ANTHROPIC = "/v1/messages"
CHAT = "/v1/chat/completions"


def through(upstream, *, path=ANTHROPIC, stream=False, model="other/gpt-5.5", dialect="openai"):
    made = pipeline(upstream, others=[to(upstream, dialect=dialect)])
    told = Told()
    data = body(model=model, messages=HELLO, stream=stream)
    asyncio.run(made.handle(Asked(data, path=path.encode()), told, classify("POST", path)))
    (row,) = made.books.ledger.calls.values()
    return told, row, made


def test_a_whole_reply_is_in_the_client_s_dialect_and_billed_by_the_provider_s():
    told, row, made = through(Upstream([chat()]))
    said = json.loads(told.body)
    assert (said["type"], said["content"][0]["text"], said["usage"]["input_tokens"]) == ("message", "Hello.", 100)
    assert dict(told.headers)[b"content-length"] == str(len(told.body)).encode()
    assert (row["input_tokens"], row["output_tokens"], row["provider"]) == (100, 10, "openai")
    assert b"x-underspend-provider" not in dict(told.headers), "it is who was asked"
    assert made.status.snapshot()["faults"] == []


def test_a_stream_goes_on_event_by_event():
    upstream = Upstream(chat_stream(), content_type=STREAM)
    told, row, _ = through(upstream, stream=True)
    assert told.body.count(b"event: message_start") == told.body.count(b"event: message_stop") == 1
    assert (row["outcome"], row["output_tokens"]) == ("ok", 10)


@pytest.mark.parametrize("at", range(1, 4))
def test_a_stream_that_breaks_off_is_left_unended(at):
    upstream = Upstream(chat_stream()[:at], content_type=STREAM, cut=True)
    told, row, _ = through(upstream, stream=True)
    assert (told.started, told.ended) == (True, False)
    assert b"message_stop" not in told.body
    assert (row["outcome"], row["evidence"]) == ("cut", "estimated")
    assert upstream.closed


def test_a_stream_that_ends_too_early_is_told_to_the_client():
    told, _, _ = through(Upstream(chat_stream()[:2], content_type=STREAM), stream=True)
    assert b"event: error" in told.body
    assert told.ended


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_an_error_keeps_its_status_and_its_words_in_the_client_s_form(status):
    error = {"error": {"message": "the model is on holiday", "type": "x", "code": "y"}}
    headers = [(b"retry-after", b"9"), (b"openai-organization", b"org"), (b"x-request-id", b"req_1")]
    told, row, _ = through(Limited(status, body=json.dumps(error).encode(), headers=headers))
    assert told.status == status
    said = json.loads(told.body)
    assert said["type"] == "error"
    assert "the model is on holiday" in said["error"]["message"]
    assert dict(told.headers)[b"retry-after"] == b"9"
    assert b"openai-organization" not in dict(told.headers)
    assert (row["status"], row["request_id"], row["cost_pico"]) == (status, "req_1", 0)


@pytest.mark.parametrize("reply", [b"<html>", b"[]", b"", b'{"object":"chat.completion","choices":[]}'])
def test_a_reply_that_is_none_is_an_error_and_a_fault(reply):
    told, _, made = through(Upstream([reply]))
    assert told.status in {200, 502}
    assert json.loads(told.body)["type"] in {"error", "message"}
    assert bool(made.status.snapshot()["faults"]) is (told.status == 502)


class Packed(Upstream):
    async def send(self, *asked):
        reply = await Upstream.send(self, *asked)
        reply.headers.append((b"content-encoding", b"gzip"))
        return reply


def test_a_packed_reply_is_unpacked_to_be_translated():
    told, row, _ = through(Packed([gzip.compress(chat())]))
    assert json.loads(told.body)["content"][0]["text"] == "Hello."
    assert b"content-encoding" not in dict(told.headers)
    assert row["output_tokens"] == 10


def test_who_did_not_ask_for_the_usage_of_a_stream_does_not_get_it():
    upstream = Upstream(chat_stream(), content_type=STREAM)
    told, row, _ = through(upstream, path=CHAT, stream=True)
    assert told.body == b"".join(chat_stream(usage=False))
    assert row["output_tokens"] == 10
    packed = Packed([gzip.compress(b"".join(chat_stream()))], content_type=STREAM)
    told, row, _ = through(packed, path=CHAT, stream=True)
    assert told.body == b"".join(chat_stream(usage=False))
    assert row["output_tokens"] == 10


def test_a_reply_in_the_client_s_own_dialect_comes_as_it_is():
    told, row, _ = through(Upstream([chat()]), path=CHAT)
    assert told.body == chat()
    assert row["cost_pico"] > 0


def test_a_provider_s_own_kind_of_stream_becomes_server_sent_events():
    async def read(decode, pieces):
        upstream = Upstream(pieces, content_type=b"application/x-own")
        reply = as_events(await upstream.send("POST", "/", [], b""), lambda kind: decode if "own" in kind else None)
        return reply, await whole(reply)

    def decode(chunk):
        if chunk == b"broken":
            raise ValueError("broken")
        return chunk.upper()

    reply, made = asyncio.run(read(decode, [b"a", b"", b"b"]))
    assert (made, dict(reply.headers)[b"content-type"]) == (b"AB", b"text/event-stream; charset=utf-8")
    with pytest.raises(UpstreamCutError):
        asyncio.run(read(decode, [b"a", b"broken"]))
    plain = UpstreamReply(200, [(b"content-type", b"application/json")], None)
    assert as_events(plain, lambda kind: None) is plain

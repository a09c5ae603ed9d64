import gzip

import pytest
from replies import events, message

from underspend.gateway.tap import AT_HOME, Billing, Tap
from underspend.gateway.transport import UpstreamReply


def tap(content_type, *extra, keep=False):
    said = []
    headers = [(b"Content-Type", content_type), (b"request-id", b"req_1"), *extra]
    return Tap(UpstreamReply(200, headers, None), lambda *fault: said.append(fault), keep=keep), said


def test_a_stream_and_json_are_metered_as_they_pass():
    made, _ = tap(b"text/event-stream; charset=utf-8", keep=True)
    for event in events():
        made.see(event)
    assert made.finish().usage.output == 40
    assert made.size == len(made.body) == len(b"".join(events()))
    made, _ = tap(b"application/json")
    made.see(message())
    assert made.finish().usage.input == 100
    assert made.body is None
    assert made.request_id == "req_1"


def test_what_was_metered_is_worked_out_once_and_anew_where_more_comes():
    made, _ = tap(b"text/event-stream")
    first, *more = events()
    made.see(first)
    half = made.finish()
    assert made.finish() is half
    assert not half.complete
    for event in more:
        made.see(event)
    assert made.finish().complete


def test_what_is_neither_is_counted_and_not_metered():
    made, said = tap(b"text/html")
    made.see(b"<html>")
    assert not made.finish().has_usage
    assert made.size == 6
    assert not said


def test_a_broken_coding_is_a_fault_and_the_bytes_still_count():
    made, said = tap(b"application/json", (b"content-encoding", b"gzip"))
    made.see(b"no gzip")
    made.see(b"at all")
    assert made.size == 13
    assert not made.finish().has_usage
    assert said[0][0] == "meter"


def test_kept_bodies_are_decoded():
    made, _ = tap(b"application/json", (b"content-encoding", b"gzip"), keep=True)
    made.see(gzip.compress(message()))
    assert made.body == message()


CHAT = b'{"model":"gpt-5.5","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}'
GEMINI = b'{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4}}'


@pytest.mark.parametrize(
    ("dialect", "provider", "reply", "model"),
    [
        ("openai", "groq", CHAT, "gpt-5.5"),
        ("gemini", "google", GEMINI, "asked-for"),
        ("anthropic", "aws", message(), "claude-opus-5-5"),
    ],
)
def test_a_reply_is_metered_in_its_dialect_and_billed_by_who_served_it(dialect, provider, reply, model):
    head = UpstreamReply(200, [(b"content-type", b"application/json"), (b"x-request-id", b"r")], None)
    made = Tap(head, lambda *fault: None, billing=Billing(dialect, provider, "asked-for"))
    made.see(reply)
    metered = made.finish()
    assert (metered.provider, metered.model, metered.has_usage) == (provider, model, True)
    assert made.request_id == "r"


def test_at_home_nothing_is_put_into_a_reply():
    made, _ = tap(b"application/json")
    made.see(b"{}")
    metered = made.finish()
    assert metered.model is None
    assert AT_HOME.named(metered) is metered

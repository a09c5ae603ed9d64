from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.streams import STOP, delta, start, stream
from underspend.core.errors import MeterError
from underspend.core.usage import Usage
from underspend.formats.meter import meter

MESSAGE = {"type": "message", "model": "m", "content": [{}], "usage": {"input_tokens": 3, "output_tokens": 4}}
CHAT = {"object": "chat.completion", "model": "m", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
RESPONSE = {"object": "response", "model": "m", "usage": {"input_tokens": 3, "output_tokens": 4}}
GEMINI = {"modelVersion": "m", "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4}}
EVENTS = (start({"input_tokens": 3}, model="m"), delta({"output_tokens": 4}), STOP)
COMPLETED = {"type": "response.completed", "response": RESPONSE}


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


def data(value: object) -> bytes:
    return b"data: " + dumped(value) + b"\n\n"


@pytest.mark.parametrize(
    ("body", "provider"),
    [
        (dumped(MESSAGE), "anthropic"),
        (json.dumps(MESSAGE, indent=2).encode(), "anthropic"),
        (b"\xef\xbb\xbf" + dumped(MESSAGE), "anthropic"),
        (stream(*EVENTS), "anthropic"),
        (stream(*EVENTS).replace(b"\n", b"\r\n"), "anthropic"),
        (b": hello\n\nevent: ping\ndata: {}\n\n" + stream(*EVENTS), "anthropic"),
        (b"data: {torn\n\n" + stream(*EVENTS), "anthropic"),
        (b"\n".join(map(dumped, EVENTS)), "anthropic"),
        (b"\r\n".join(map(dumped, EVENTS)) + b"\r\n\r\n", "anthropic"),
        (dumped(CHAT), "openai"),
        (dumped({**CHAT, "provider": "Anthropic"}), "openrouter"),
        (data({**CHAT, "usage": None}) + data(CHAT) + b"data: [DONE]\n\n", "openai"),
        (dumped(RESPONSE), "openai"),
        (data({"type": "response.created", "response": {}}) + data(COMPLETED), "openai"),
        (dumped(COMPLETED["response"]), "openai"),
        (dumped(GEMINI), "google"),
        (dumped([{"candidates": []}, GEMINI]), "google"),
        (data({"candidates": []}) + data(GEMINI), "google"),
    ],
)
def test_the_dialect_shows_in_the_body(body: bytes, provider: str) -> None:
    reply = meter(body)
    assert (reply.provider, reply.model, reply.usage) == (provider, "m", Usage(3, output=4))


@pytest.mark.parametrize(
    ("body", "said", "provider"),
    [
        (CHAT, "deepseek", "deepseek"),
        ({"model": "m", "usage": CHAT["usage"]}, "deepseek", "deepseek"),
        (MESSAGE, "anthropic", "anthropic"),
        (GEMINI, "gemini", "google"),
        (GEMINI, "google", "google"),
    ],
)
def test_a_provider_that_is_named_is_believed(body: object, said: str, provider: str) -> None:
    assert meter(dumped(body), provider=said).provider == provider


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "it is neither JSON nor a stream of server-sent events"),
        (b"\xff\xd8\xff\xe0", "it is neither JSON nor a stream of server-sent events"),
        (b"TXT test file\nPurpose: none", "it is neither JSON nor a stream of server-sent events"),
        (b"data: {torn", "it is neither JSON nor a stream of server-sent events"),
        (b"[]", "it holds no usage"),
        (b"7", "it holds no usage"),
        (b'{"input_tokens": 12}', "it holds no usage"),
        (b'{"type": "message"}', "it holds no usage"),
        (dumped({**CHAT, "usage": None}), "it holds no usage"),
        (
            b'{"type": "error", "error": {"type": "overloaded_error", "message": "a\\nb"}}',
            "it is an error reply (overloaded_error); errors are not billed",
        ),
        (b'{"error": {"code": 429}}', "it is an error reply (no type); errors are not billed"),
        (b'{"error": "no"}', "it is an error reply (no type); errors are not billed"),
        (
            b"data: " + dumped({"type": "error", "error": {"type": "api_error"}}),
            "it is an error reply (api_error); errors are not billed",
        ),
    ],
)
def test_what_cannot_be_metered_says_why_in_one_line(body: bytes, problem: str) -> None:
    with pytest.raises(MeterError) as caught:
        meter(body, source="reply.json")
    assert str(caught.value) == f"reply.json is not a reply that can be metered: {problem}."


@given(
    st.binary()
    | st.lists(st.sampled_from([b"data: ", b"{", b"}", b'"type":"message_start"', b"\n", b"\xff", b"[", b"]"])).map(
        b"".join
    )
)
def test_any_bytes_are_metered_or_one_line(body: bytes) -> None:
    try:
        metered, said = meter(body), ""
    except MeterError as error:
        metered, said = None, str(error)
    assert len(said.splitlines()) == 1 if metered is None else metered.has_usage

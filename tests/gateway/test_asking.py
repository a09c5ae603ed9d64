import json

import pytest
from doubles import Asked, Upstream, body, pipeline

from targets import chat, to
from underspend.gateway.asking import NobodyHereError
from underspend.gateway.routes import classify

HELLO = [{"role": "user", "content": "hello"}]


def read(path, data, *, others=(), headers=(), **options):
    made = pipeline(Upstream([]), others=others, **options)
    request = Asked(data, path=path.encode(), headers=list(headers))
    return made.asking.read(request, classify("POST", path), data)


def asked_in_chat(**changes):
    return json.dumps({"model": "claude-opus-5-5", "max_tokens": 9, "messages": HELLO, **changes}).encode()


def test_a_call_for_claude_in_another_dialect_is_seen_as_anthropic_s():
    asked = read("/v1/chat/completions", asked_in_chat(stream=True))
    assert (asked.dialect, asked.endpoint, asked.to.home) == ("openai", "chat", True)
    assert (asked.call.endpoint, asked.call.provider, asked.call.model) == ("messages", "anthropic", "claude-opus-5-5")
    assert (asked.call.stream, asked.call.max_output) == (True, 9)
    assert json.loads(asked.body)["messages"][0]["role"] == "user"
    assert asked.parts.messages
    assert asked.exchange is not None


def test_a_call_for_another_provider_stays_as_it_came():
    data = asked_in_chat(model="other/gpt-5.5")
    asked = read("/v1/chat/completions", data, others=[to(Upstream([chat()]))])
    assert (asked.named, asked.call.model, asked.call.provider) == ("other/gpt-5.5", "gpt-5.5", "openai")
    assert asked.body is asked.raw is data
    assert (asked.message, asked.exchange, asked.parts) == (None, None, None)


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/v1/chat/completions", b"nonsense", 400),
        ("/v1/chat/completions", asked_in_chat(model="nobody-has-it"), 404),
        ("/v1/responses", b'{"model":"x","input":"hi"}', 404),
        ("/v1/chat/completions", asked_in_chat(messages="none"), 400),
    ],
)
def test_a_call_that_cannot_be_served_is_told_so(path, data, status):
    with pytest.raises(NobodyHereError) as caught:
        read(path, data)
    assert caught.value.status == status


@pytest.mark.parametrize("model", ["nobody-has-it", "gpt-5.5", "claude-opus-5-5"])
def test_an_upstream_that_speaks_both_gets_calls_as_they_came(model):
    data = asked_in_chat(model=model)
    asked = read("/v1/chat/completions", data, forward=True)
    assert (asked.to.home, asked.body, asked.exchange) == (True, data, None)
    assert asked.call.provider == ("openai" if model == "gpt-5.5" else "anthropic")


def test_a_choice_left_to_us_is_known():
    assert read("/v1/messages", body(model="auto:cheapest")).call.preference == "cheapest"
    assert read("/v1/messages", body()).call.preference == ""


LOGIN = [(b"authorization", b"Bearer sk-ant-oat01-x"), (b"anthropic-beta", b"oauth-2025-04-20")]


@pytest.mark.parametrize(
    ("model", "headers", "billing", "login"),
    [
        ("claude-opus-5-5", LOGIN, "oauth", True),
        ("other/gpt-5.5", LOGIN, "api_key", True),
        ("other/gpt-5.5", [], "api_key", False),
        ("claude-opus-5-5", [], "none", False),
    ],
)
def test_who_pays_is_whose_key_is_shown(model, headers, billing, login):
    """A call of a subscription's client that our key pays for costs money: limits hold for it."""
    asked = read("/v1/messages", body(model=model), others=[to(Upstream([]))], headers=headers)
    assert (asked.call.identity.billing, asked.login) == (billing, login)


@pytest.mark.parametrize("model", ["claude-opus-5-5", "other/gpt-5.5"])
def test_the_user_a_chat_call_names_is_who_asks_unless_a_header_says_otherwise(model):
    data, others = asked_in_chat(model=model, user="ann"), [to(Upstream([chat()]))]
    assert read("/v1/chat/completions", data, others=others).call.identity.user == "ann"
    named = [(b"x-underspend-user", b"bob")]
    assert read("/v1/chat/completions", data, others=others, headers=named).call.identity.user == "bob"

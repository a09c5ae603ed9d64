import json

import pytest
from doubles import Asked, Upstream, body, home, pipeline

from targets import chat, to
from underspend.core.errors import CannotCarryError
from underspend.gateway.carrying import Refusing
from underspend.gateway.destinations import Candidate
from underspend.gateway.routes import classify
from underspend.providers.keys import Secret
from underspend.routing.beliefs import Arm

HELLO = [{"role": "user", "content": "hello"}]
CLIENT = [
    (b"x-api-key", b"sk-ant-api03-client"),
    (b"anthropic-version", b"2026-10-21"),
    (b"anthropic-beta", b"a-1,oauth-2025-04-20,b-2"),
    (b"cookie", b"c"),
    (b"x-claude-code-session-id", b"s"),
    (b"accept-encoding", b"gzip"),
]


def carry(where, model, *, data=None, path="/v1/messages", headers=CLIENT, named=None):
    made = pipeline(Upstream([chat()]), others=[where])
    data = data or body(model=named or f"{where.name}/{model}", messages=HELLO)
    request = Asked(data, path=path.encode(), headers=list(headers))
    asked = made.asking.read(request, classify("POST", path), data)
    return made.attempts.carrier.carry(request, asked, asked.call, asked.body, Candidate(to=where, model=model))


def in_chat(model, **changes):
    return json.dumps({"model": model, "messages": HELLO, **changes}).encode()


def test_who_speaks_alike_gets_the_same_bytes_but_for_the_model():
    raw = b'{ "messages": [] , "model": "other/claude-x","max_tokens":1.0}'
    carried = carry(to(Upstream([]), dialect="anthropic"), "claude-x", data=raw)
    assert carried.body == raw.replace(b"other/claude-x", b"claude-x")
    assert (carried.exchange, carried.left_out, carried.filters) == (None, (), False)
    assert carried.target == "/other/v1/messages"


def test_what_goes_along_says_how_the_body_is_meant_and_nothing_of_who_sent_it():
    told = dict(carry(to(Upstream([]), dialect="anthropic"), "claude-x").headers)
    assert told[b"anthropic-beta"] == b"a-1,b-2"
    assert told[b"anthropic-version"] == b"2026-10-21"
    assert told[b"authorization"] == b"Bearer sk-ours"
    assert not {b"x-api-key", b"cookie", b"x-claude-code-session-id"} & set(told)


def test_a_translated_call_is_asked_for_plainly():
    carried = carry(to(Upstream([])), "gpt-5.5")
    told = dict(carried.headers)
    assert told[b"accept-encoding"] == b"identity"
    assert not any(name.startswith(b"anthropic") for name in told)
    assert json.loads(carried.body)["model"] == "gpt-5.5"
    assert (carried.billing.dialect, carried.billing.provider) == ("openai", "openai")


def test_what_could_not_be_carried_is_said():
    data = body(model="other/gpt-5.5", messages=HELLO, top_k=5)
    assert carry(to(Upstream([])), "gpt-5.5", data=data).left_out


@pytest.mark.parametrize(
    ("key", "settings", "shown"),
    [
        (Secret("sk-ours"), {}, b"Bearer sk-ours"),
        (None, {"key": "client"}, b"Bearer sk-ant-api03-client"),
        (None, {}, None),
    ],
)
def test_the_client_s_key_is_shown_only_where_the_settings_say_so(key, settings, shown):
    from underspend.gateway.destinations import Destination
    from underspend.providers.fake import Fake

    provider = Fake(name="other", base_url="http://127.0.0.1:1", dialect="openai", **settings)
    where = Destination(provider=provider, upstream=Upstream([]), key=key)
    assert dict(carry(where, "gpt-5.5").headers).get(b"authorization") == shown


def test_a_client_s_bearer_becomes_what_the_upstream_wants():
    headers = [(b"authorization", b"Bearer sk-ant-api03-client")]
    where = home(Upstream([]))
    carried = carry(
        where, "claude-opus-5-5", data=in_chat("claude-opus-5-5"), path="/v1/chat/completions", headers=headers
    )
    told = dict(carried.headers)
    assert told[b"x-api-key"] == b"sk-ant-api03-client"
    assert told[b"anthropic-version"]
    assert b"authorization" not in told
    assert carried.target == "/v1/messages"


@pytest.mark.parametrize(
    ("said", "filters"),
    [({"stream": True}, True), ({"stream": True, "stream_options": {"include_usage": True}}, False), ({}, False)],
)
def test_the_usage_of_a_stream_is_asked_for_and_kept_from_who_did_not_ask(said, filters):
    data = in_chat("other/gpt-5.5", **said)
    carried = carry(to(Upstream([])), "gpt-5.5", data=data, path="/v1/chat/completions")
    assert carried.filters is filters
    options = json.loads(carried.body).get("stream_options")
    assert options == ({"include_usage": True} if "stream" in said else None)
    assert (carried.usage_filter() is not None) is filters


@pytest.mark.parametrize("path", ["/v1/messages/count_tokens", "/v1/embeddings"])
def test_what_a_provider_has_nothing_like_is_refused(path):
    data = body(model="other/m") if "count" in path else in_chat("other/m", input="x")
    where = to(Upstream([]), dialect="gemini")
    with pytest.raises(CannotCarryError, match="nothing like it"):
        carry(where, "m", data=data, path=path)


def test_embeddings_are_forwarded():
    raw = b'{"model":"other/text-embedding-3-small","input":"x"}'
    carried = carry(to(Upstream([])), "text-embedding-3-small", data=raw, path="/v1/embeddings")
    assert carried.target == "/other/v1/embeddings"
    assert carried.body == raw.replace(b"other/", b"")


def test_a_model_has_the_provider_s_own_name():
    where = to(Upstream([]), dialect="anthropic", aliases={"opus": "claude-opus-5-5"})
    assert json.loads(carry(where, "opus").body)["model"] == "claude-opus-5-5"


def test_where_there_is_no_translator_it_is_said():
    made = pipeline(Upstream([]), others=[to(Upstream([]))])
    with pytest.raises(CannotCarryError, match="no translator"):
        made.attempts.carrier.translate("latin", "greek", b"{}", Candidate(to=home(Upstream([])), model="m"))


@pytest.mark.parametrize(
    ("provider", "changes", "why"),
    [
        ("openai", {}, None),
        ("google", {}, "no provider is configured"),
        ("openai", {"safeguards": {"type": "auto"}}, "safeguards"),
        ("openai", {"messages": "none"}, "messages"),
    ],
)
def test_why_the_router_may_not_take_a_call_to_another_provider(provider, changes, why):
    made = pipeline(Upstream([chat()]), others=[to(Upstream([]), "openai")])
    data = body(**{"messages": HELLO, **changes})
    asked = made.asking.read(Asked(data), classify("POST", "/v1/messages"), data)
    found = Refusing(made.attempts.destinations, made.attempts.carrier).why(asked, Arm("gpt-5.5", None, provider))
    assert found is None if why is None else why in found

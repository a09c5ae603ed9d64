import json
import sys
import types

import pytest
from asking import outgoing
from frames import chunk

from underspend.core.errors import ConfigError
from underspend.providers.bedrock import Bedrock
from underspend.providers.keys import Secret

MODEL = "global.anthropic.claude-opus-5-5-v1:0"
HEADERS = [(b"anthropic-version", b"2023-06-01"), (b"anthropic-beta", b"x-1"), (b"accept", b"application/json")]


def asked(**changes):
    return outgoing(model=MODEL, headers=HEADERS, **changes)


@pytest.mark.parametrize(("stream", "verb"), [(False, "invoke"), (True, "invoke-with-response-stream")])
def test_with_a_key_of_its_own_a_request_is_shown_a_bearer(stream, verb):
    made = Bedrock(name="b", region="eu-west-1").addressed(asked(stream=stream), Secret("k"))
    assert made.target == f"/model/global.anthropic.claude-opus-5-5-v1%3A0/{verb}"
    assert made.headers[-1] == (b"authorization", b"Bearer k")
    assert not any(name.startswith(b"anthropic-") for name, _ in made.headers)
    body = json.loads(made.body)
    assert (body["anthropic_version"], body["anthropic_beta"]) == ("bedrock-2023-05-31", ["x-1"])
    assert not {"model", "stream"} & set(body)


def botocore(monkeypatch, credentials="frozen"):
    """A stand-in for botocore that keeps what it was asked to sign."""
    signed = []

    class Request:
        def __init__(self, method, url, headers, data):
            self.method, self.url, self.headers, self.data = method, url, dict(headers), data

    class Session:
        def __init__(self, profile):
            self.profile = profile

        def get_credentials(self):
            return credentials and types.SimpleNamespace(get_frozen_credentials=lambda: credentials)

    class Auth:
        def __init__(self, *known):
            self.known = known

        def add_auth(self, request):
            signed.append((self.known, request))
            request.headers["Authorization"] = "AWS4-HMAC-SHA256 Signature=x"
            request.headers["X-Amz-Date"] = "20261120T000000Z"

    for name, content in {
        "botocore": {},
        "botocore.session": {"Session": Session},
        "botocore.auth": {"SigV4Auth": Auth},
        "botocore.awsrequest": {"AWSRequest": Request},
    }.items():
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(**content))
    return signed


def test_without_a_key_the_machine_s_credentials_sign_what_is_sent(monkeypatch):
    signed = botocore(monkeypatch)
    made = Bedrock(name="b", region="eu-west-1").addressed(asked(), None)
    ((known, request),) = signed
    assert known == ("frozen", "bedrock", "eu-west-1")
    assert request.url == f"https://bedrock-runtime.eu-west-1.amazonaws.com{made.target}"
    assert request.data == made.body
    assert dict(made.headers)[b"authorization"].startswith(b"AWS4-")
    assert (b"x-amz-date", b"20261120T000000Z") in made.headers
    assert [name for name, _ in made.headers].count(b"content-type") == 1


def test_what_is_missing_is_said(monkeypatch):
    botocore(monkeypatch, credentials=None)
    with pytest.raises(ConfigError, match="no AWS credentials"):
        Bedrock(name="b").addressed(asked(), None)
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(ConfigError, match=r"underspend\[bedrock\]"):
        Bedrock(name="b").addressed(asked(), None)


def test_all_but_global_profiles_are_regional():
    names = ("global.anthropic.claude-x", "eu.anthropic.claude-x", "anthropic.claude-x")
    assert [Bedrock(name="b").is_regional(name) for name in names] == [False, True, True]


def test_what_it_does_not_have_is_refused():
    with pytest.raises(ValueError, match="count_tokens"):
        Bedrock(name="b").addressed(asked(endpoint="count_tokens"), Secret("k"))


def test_its_streams_become_server_sent_events():
    decode = Bedrock(name="b").stream_decoder("application/vnd.amazon.eventstream")
    assert decode(chunk({"type": "ping"})).startswith(b"event: ping\ndata: {")
    assert Bedrock(name="b").stream_decoder("application/json") is None
    assert (Bedrock(name="b").price_list, Bedrock(name="b").wants_key) == ("aws", False)

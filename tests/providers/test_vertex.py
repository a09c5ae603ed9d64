import json
import sys
import types

import pytest
from asking import outgoing

from underspend.core.errors import ConfigError
from underspend.providers import vertex
from underspend.providers.keys import Secret
from underspend.providers.vertex import Vertex

MINE = {"name": "v", "project": "my-project"}


@pytest.fixture(autouse=True)
def forget():
    vertex._google.cache_clear()
    yield
    vertex._google.cache_clear()


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("europe-west1", "europe-west1-aiplatform.googleapis.com"),
    ],
)
def test_each_location_has_its_host(location, host):
    assert Vertex(**MINE, location=location).origin == f"https://{host}"


@pytest.mark.parametrize(("stream", "verb"), [(False, "rawPredict"), (True, "streamRawPredict")])
def test_the_model_is_in_the_path_and_the_version_in_the_body(stream, verb):
    asked = outgoing(model="claude-opus-5-5@20261001", stream=stream, headers=[(b"anthropic-version", b"x")])
    made = Vertex(**MINE).addressed(asked, Secret("k"))
    place = "/v1/projects/my-project/locations/global/publishers/anthropic/models"
    assert made.target == f"{place}/claude-opus-5-5@20261001:{verb}"
    body = json.loads(made.body)
    assert body["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in body
    assert not any(name == b"anthropic-version" for name, _ in made.headers)


def test_tokens_are_counted_by_a_model_of_that_name():
    made = Vertex(**MINE).addressed(outgoing(endpoint="count_tokens"), Secret("k"))
    assert made.target.endswith("/models/count-tokens:rawPredict")
    assert json.loads(made.body)["model"] == "m"


def google(monkeypatch, *, valid=False, fails=False):
    class Credentials:
        def __init__(self):
            self.valid, self.token, self.refreshed = valid, "ya29.old", 0

        def refresh(self, request):
            if fails:
                raise OSError("no network")
            self.token, self.valid, self.refreshed = "ya29.new", True, self.refreshed + 1

    made = Credentials()
    auth = types.SimpleNamespace(default=lambda scopes: (made, "project"))
    monkeypatch.setitem(sys.modules, "google.auth", auth)
    transport = types.SimpleNamespace(Request=lambda: "request")
    monkeypatch.setitem(sys.modules, "google.auth.transport.requests", transport)
    return made


def test_without_a_key_the_machine_s_credentials_give_a_token_which_is_refreshed_once(monkeypatch):
    credentials = google(monkeypatch)
    for _ in range(2):
        made = Vertex(**MINE).addressed(outgoing(), None)
        assert made.headers[-1] == (b"authorization", b"Bearer ya29.new")
    assert credentials.refreshed == 1


def test_what_is_missing_is_said(monkeypatch):
    google(monkeypatch, fails=True)
    with pytest.raises(ConfigError, match="gcloud auth"):
        Vertex(**MINE).addressed(outgoing(), None)
    vertex._google.cache_clear()
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(ConfigError, match=r"underspend\[vertex\]"):
        Vertex(**MINE).addressed(outgoing(), None)
    with pytest.raises(ConfigError, match="Google Cloud project"):
        Vertex(name="v").check()


@pytest.mark.parametrize(("location", "regional"), [("global", False), ("eu", True), ("us-east5", True)])
def test_all_but_the_global_location_are_regional(location, regional):
    assert Vertex(**MINE, location=location).is_regional("claude-x") is regional


def test_claude_there_is_at_google_s_prices():
    assert (Vertex(**MINE).price_list, Vertex(**MINE).speaks, Vertex(**MINE).wants_key) == (
        "google",
        ("anthropic",),
        False,
    )

from urllib.parse import urlsplit

import pytest
from asking import outgoing

from underspend.core.errors import ConfigError
from underspend.pricing.normalise import PROVIDERS
from underspend.providers.compatible import Compatible, presets
from underspend.providers.keys import Secret

WANTED = ["deepseek", "xai", "mistral", "groq", "together", "fireworks", "openrouter", "perplexity", "ollama", "vllm"]


def test_those_that_the_issue_names_are_known():
    assert set(WANTED) <= set(presets())


@pytest.mark.parametrize("name", presets())
def test_a_preset_is_whole(name):
    preset = presets()[name]
    assert preset.source.startswith("https://")
    assert len({urlsplit(url).netloc for url in preset.addresses.values()}) == 1, "one provider has one origin"
    provider = Compatible(name=name)
    provider.check()
    assert provider.speaks == tuple(preset.addresses)
    assert provider.price_list in PROVIDERS or name in {"ollama", "vllm"}
    assert provider.wants_key is (name not in {"ollama", "vllm"})


@pytest.mark.parametrize(
    ("name", "dialect", "endpoint", "target"),
    [
        ("deepseek", "anthropic", "messages", "/anthropic/v1/messages"),
        ("deepseek", "openai", "chat", "/v1/chat/completions"),
        ("groq", "openai", "chat", "/openai/v1/chat/completions"),
        ("groq", "responses", "responses", "/openai/v1/responses"),
        ("openrouter", "anthropic", "messages", "/api/v1/messages"),
        ("perplexity", "openai", "chat", "/chat/completions"),
        ("together", "openai", "embeddings", "/v1/embeddings"),
    ],
)
def test_where_requests_go(name, dialect, endpoint, target):
    made = Compatible(name=name).addressed(outgoing(dialect=dialect, endpoint=endpoint), Secret("k"))
    assert made.target == target
    assert made.headers[-1] == (b"authorization", b"Bearer k")


@pytest.mark.parametrize(("dialect", "target"), [("", "/v1/chat/completions"), ("anthropic", "/v1/v1/messages")])
def test_any_address_in_either_dialect(dialect, target):
    provider = Compatible(name="mine", base_url="http://10.0.0.5:8000/v1", dialect=dialect)
    provider.check()
    spoken = provider.speaks[0]
    endpoint = {"openai": "chat", "anthropic": "messages"}[spoken]
    assert provider.addressed(outgoing(dialect=spoken, endpoint=endpoint), None).target == target
    assert (provider.origin, provider.price_list, provider.wants_key) == ("http://10.0.0.5:8000", "mine", False)


def test_a_preset_under_another_name_and_at_another_address():
    provider = Compatible(name="groq-eu", preset="groq", base_url="https://eu.example/v1")
    assert (provider.url, provider.price_list, provider.speaks) == ("https://eu.example/v1", "groq", ("openai",))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"name": "mine"}, "address is not known"),
        ({"name": "x", "preset": "nobody"}, "no preset nobody"),
        ({"name": "groq", "dialect": "latin"}, "no dialect latin"),
    ],
)
def test_what_cannot_work_is_said(settings, problem):
    with pytest.raises(ConfigError, match=problem):
        Compatible(**settings).check()


def test_a_stream_s_usage_is_asked_for_where_it_is_given():
    assert Compatible(name="groq").reports_stream_usage
    assert not Compatible(name="mistral").reports_stream_usage
    assert Compatible(name="mistral", stream_usage=True).reports_stream_usage
    assert Compatible(name="mine", base_url="http://a").reports_stream_usage

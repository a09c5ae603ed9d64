import pytest

from underspend.config import load
from underspend.core.errors import ConfigError

KEY = "sk-live-0123456789abcdef"


def read(tmp_path, text):
    return load(home=tmp_path, environ={}, text=text)


def test_there_are_none_by_default(tmp_path):
    settings = read(tmp_path, "")
    assert (settings.providers, dict(settings.fallbacks)) == ((), {})


def test_tables_become_providers_in_order(tmp_path):
    text = """
[providers.groq]
key = "env:GROQ_API_KEY"
[providers.mine]
base_url = "http://10.0.0.5:8000/v1"
models = ["llama-4"]
aliases = {small = "llama-4-8b"}
[providers.work]
kind = "anthropic"
key = "client"
"""
    groq, mine, work = read(tmp_path, text).providers
    assert [(each.name, each.kind) for each in (groq, mine, work)] == [
        ("groq", "compatible"),
        ("mine", "compatible"),
        ("work", "anthropic"),
    ]
    assert mine.model_id("small") == "llama-4-8b"
    assert mine.models == ("llama-4",)


def test_where_each_setting_was_said_is_known_and_a_key_is_only_named(tmp_path):
    settings = read(tmp_path, '[providers.groq]\nkey = "env:GROQ_API_KEY"\n[fallbacks]\n"a" = ["groq/b"]')
    found = {origin.name: origin for origin in settings.origins}
    assert found["providers.groq.key"].value == "env:GROQ_API_KEY"
    assert found["providers.groq.key"].source.endswith("config.toml:2")
    assert found["providers.groq.base_url"].source == "default"
    assert found["fallbacks.a"].value == ["groq/b"]
    assert found["fallbacks.a"].source.endswith("config.toml:4")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f'[providers.groq]\nkey = "{KEY}"', "plain text"),
        ("[providers.groq]\nkey = 5", "named by a text"),
        ("[providers]\ngroq = 1", "providers are tables"),
        ("[providers.Groq]", "no name"),
        ('[providers."a/b"]', "no name"),
        ('[providers.x]\nkind = "nobody"', "no kind nobody"),
        ("[providers.groq]\nspeed = 1", "no setting speed"),
        ('[providers.groq]\nname = "other"', "no setting name"),
        ("[providers.groq]\nmodels = 1", "cannot be set up"),
        ("[providers.mine]", "address is not known"),
        ('[providers.openai]\nbase_url = "nonsense"', "not the address"),
        ("[providers.vertex]", "project"),
        ("fallbacks = 1", "fallbacks"),
        ('[fallbacks]\n"a" = "b"', "a list of models"),
        ('[fallbacks]\n"a" = []', "a list of models"),
        ('[fallbacks]\n"a" = ["a"]', "asked again after itself"),
        ('[fallbacks]\n"a" = ["groq/b"]', "no provider groq"),
    ],
)
def test_what_cannot_be_is_refused_with_a_line_to_mend_it(tmp_path, text, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        read(tmp_path, text)
    assert KEY not in str(caught.value)


def test_a_plain_key_is_refused_by_its_line_and_told_how_to_be_kept(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f'\n[providers.groq]\n# mine\nkey = "{KEY}"')
    said = str(caught.value)
    assert "config.toml:4" in said
    assert 'key = "env:NAME"' in said


@pytest.mark.parametrize("link", ["anthropic/claude-haiku-5-5", "claude-haiku-5-5"])
def test_the_upstream_needs_no_table_to_be_fallen_back_to(tmp_path, link):
    assert read(tmp_path, f'[fallbacks]\n"a" = ["{link}"]').fallbacks == {"a": (link,)}

import pytest

from underspend.config import load
from underspend.integrations.checks import Level
from underspend.integrations.provider_checks import provider_findings

KEY = "sk-live-0123456789"


def look(tmp_path, text, environ=None, **options):
    settings = load(home=tmp_path, environ={}, text=text)
    return list(provider_findings(settings, environ or {}, **options))


def test_without_providers_there_is_nothing_to_say(tmp_path):
    assert look(tmp_path, "") == []


@pytest.mark.parametrize(
    ("table", "environ", "level"),
    [
        ('[providers.groq]\nkey = "env:G"', {"G": KEY}, Level.OK),
        ('[providers.groq]\nkey = "env:G"', {}, Level.FAIL),
        ("[providers.groq]", {}, Level.WARN),
        ("[providers.ollama]", {}, Level.OK),
        ('[providers.work]\nkind = "anthropic"\nkey = "client"', {}, Level.OK),
    ],
)
def test_a_key_is_where_it_is_said_to_be(tmp_path, table, environ, level):
    (found,) = look(tmp_path, table, environ)
    assert found.level is level
    assert KEY not in f"{found.what}{found.mend}"


@pytest.mark.parametrize(("mode", "level"), [(0o600, Level.OK), (0o644, Level.FAIL)])
def test_a_key_s_file_is_its_owner_s_alone(tmp_path, mode, level):
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(mode)
    (found,) = look(tmp_path, f'[providers.groq]\nkey = "file:{file}"')
    assert found.level is level
    assert KEY not in f"{found.what}{found.mend}"


def test_models_without_a_price_are_named(tmp_path):
    found = look(tmp_path, '[providers.ollama]\nmodels = ["llama-of-mine"]')
    assert [each.level for each in found] == [Level.OK, Level.WARN]
    assert "llama-of-mine" in found[1].what


def test_the_network_is_asked_only_when_wanted(tmp_path, monkeypatch):
    def refused(request, timeout):
        assert not request.has_header("Authorization")
        raise OSError("refused")

    monkeypatch.setattr("urllib.request.urlopen", refused)
    table = "[providers.ollama]"
    assert [each.level for each in look(tmp_path, table)] == [Level.OK]
    assert [each.level for each in look(tmp_path, table, online=True)] == [Level.OK, Level.FAIL]

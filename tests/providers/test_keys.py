import sys
import types

import pytest

from underspend.core.errors import ConfigError
from underspend.providers.keys import Secret, check_reference, resolve

KEY = "sk-live-0123456789abcdef"


def made(path, mode=0o600, text=KEY + "\n"):
    path.write_text(text)
    path.chmod(mode)
    return f"file:{path}"


def test_a_secret_never_shows_itself():
    secret = Secret(KEY)
    assert KEY not in f"{secret} {secret!r} {[secret]} {secret!s:>40}"
    assert secret.reveal() == KEY
    assert {secret: 1}[Secret(KEY)] == 1


@pytest.mark.parametrize("plain", [KEY, "", "env:", "file:", "https://x", "ENV:NAME"])
def test_a_key_in_plain_text_is_refused_and_not_repeated(plain):
    with pytest.raises(ConfigError) as caught:
        check_reference(plain, "config.toml:3")
    assert KEY not in str(caught.value)
    assert 'key = "env:NAME"' in str(caught.value)
    assert "config.toml:3" in str(caught.value)


def test_a_key_from_the_environment():
    assert resolve("env:A_KEY", "here", {"A_KEY": KEY}) == Secret(KEY)
    with pytest.raises(ConfigError, match="A_KEY is not set"):
        resolve("env:A_KEY", "here", {})


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_from_a_file_that_only_its_owner_reads(tmp_path, mode):
    assert resolve(made(tmp_path / "key", mode), "here", {}) == Secret(KEY)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622])
def test_a_file_that_others_can_read_or_write_is_refused(tmp_path, mode):
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        resolve(made(tmp_path / "key", mode), "here", {})
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("reference", ["file:key", "file:/no/such/file", "file:/"])
def test_a_file_that_is_not_there(reference):
    with pytest.raises(ConfigError):
        resolve(reference, "here", {})


@pytest.mark.parametrize("text", ["", "two\nlines", "sk\x00key", "schlüssel"])
def test_what_is_no_key_is_refused(tmp_path, text):
    with pytest.raises(ConfigError):
        resolve(made(tmp_path / "key", text=text), "here", {})


def keyring(monkeypatch, get):
    monkeypatch.setitem(sys.modules, "keyring", types.SimpleNamespace(get_password=get))


def test_a_key_from_the_keyring(monkeypatch):
    keyring(monkeypatch, lambda service, user: KEY if (service, user) == ("openai", "me/work") else None)
    assert resolve("keyring:openai/me/work", "here", {}) == Secret(KEY)
    with pytest.raises(ConfigError, match="nothing for openai/you"):
        resolve("keyring:openai/you", "here", {})


def test_a_keyring_that_is_locked_or_missing(monkeypatch):
    def locked(service, user):
        raise RuntimeError("locked")

    keyring(monkeypatch, locked)
    with pytest.raises(ConfigError, match="Unlock"):
        resolve("keyring:a/b", "here", {})
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match=r"underspend\[keyring\]"):
        resolve("keyring:a/b", "here", {})

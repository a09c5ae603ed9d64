from __future__ import annotations

import base64
import stat
import sys
from concurrent.futures import ThreadPoolExecutor

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from underspend.core.replies import ReplyStoreError
from underspend.stores.replies.keys import key_in_file, key_in_keyring


class OneKeyring(KeyringBackend):
    priority = 1

    def __init__(self):
        super().__init__()
        self.held = {}

    def get_password(self, service, username):
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        self.held[service, username] = password

    def delete_password(self, service, username):
        del self.held[service, username]


@pytest.fixture
def ring():
    before, made = keyring.get_keyring(), OneKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    file = tmp_path / "new" / "key"
    made = key_in_file(file)
    assert len(made) == 32
    assert key_in_file(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["key"]
    assert key_in_file(tmp_path / "other") != made


def test_all_who_start_at_once_get_the_same(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(key_in_file, [tmp_path / "key"] * 40))) == 1


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_that_others_may_use_is_refused(mode, tmp_path):
    key_in_file(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(ReplyStoreError, match="others may use the key"):
        key_in_file(tmp_path / "key")


def test_what_is_no_key_is_refused(tmp_path):
    key_in_file(tmp_path / "key")
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ReplyStoreError, match="the key has 5 bytes, not 32"):
        key_in_file(tmp_path / "key")
    with pytest.raises(ReplyStoreError, match="cannot be used"):
        key_in_file(tmp_path / "key" / "below a file")


def test_the_keyring_keeps_it(ring):
    made = key_in_keyring()
    assert len(made) == 32
    assert key_in_keyring() == made


@pytest.mark.parametrize(("held", "problem"), [("é", "no key"), (base64.b64encode(b"x").decode(), "1 bytes")])
def test_what_is_no_key_in_the_keyring_is_refused(ring, held, problem):
    ring.set_password("underspend", "response cache", held)
    with pytest.raises(ReplyStoreError, match=problem):
        key_in_keyring()


def test_no_keyring_is_one_kind_of_error(ring, monkeypatch):
    keyring.set_keyring(NoKeyring())
    with pytest.raises(ReplyStoreError, match="the keyring cannot be used"):
        key_in_keyring()
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ReplyStoreError, match=r"underspend\[cache\]"):
        key_in_keyring()

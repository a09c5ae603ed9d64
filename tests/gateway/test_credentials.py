from underspend.gateway.credentials import KeyHasher, secret_at


def test_a_key_has_one_name_per_installation_and_the_name_does_not_hold_it():
    here, elsewhere = KeyHasher(b"a" * 32), KeyHasher(b"b" * 32)
    name = here.name("sk-ant-1")
    assert name == here.name("sk-ant-1") != here.name("sk-ant-2")
    assert name != elsewhere.name("sk-ant-1")
    assert "sk-ant" not in name
    assert here.name(None) is None


def test_the_secret_is_made_once_and_is_for_its_owner_only(tmp_path):
    path = tmp_path / "secret"
    made = secret_at(path)
    assert len(made) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert secret_at(path) == made


def test_a_truncated_secret_is_made_anew(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"short")
    assert len(secret_at(path)) == 32


def test_a_digest_is_of_all_that_is_shown_and_nothing_shown_is_mistaken_for_another():
    keys = KeyHasher(b"k" * 32)
    shown = [(), ("",), ("a",), ("b",), ("a", "b"), ("ab",), ("b", "a"), ("a", ""), ("", "a")]
    assert len({keys.digest(each) for each in shown}) == len(shown)
    assert keys.digest(["a"]) == keys.digest(("a",))
    assert KeyHasher(b"x" * 32).digest(["a"]) != keys.digest(["a"])
    assert len(keys.digest(["a"])) == 64

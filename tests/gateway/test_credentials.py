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

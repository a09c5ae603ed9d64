import pytest

from underspend.cli.reading import reading
from underspend.core.errors import ConfigError, StoreError


def test_a_missing_ledger_reads_as_empty(home):
    with reading() as ledger:
        assert ledger.tz.key == "UTC"
    assert list(home.iterdir()) == []


def test_what_is_no_ledger_is_said(home):
    (home / "ledger.sqlite3").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError), reading():
        pass


def test_an_unknown_zone(home):
    with pytest.raises(ConfigError), reading("Mars"):
        pass

from __future__ import annotations

from pathlib import Path

import pytest

from stores.holds.servers import Server
from underspend.core.holds import HoldsError
from underspend.stores.holds.choose import FILE, open_holds
from underspend.stores.holds.memory import MemoryHolds
from underspend.stores.holds.redis import RedisHolds
from underspend.stores.holds.sqlite import SqliteHolds


def test_a_url_names_the_store(tmp_path: Path, server: Server) -> None:
    shared = f"sqlite:///{tmp_path / 'shared.db'}"
    kinds = {"": SqliteHolds, shared: SqliteHolds, "memory:": MemoryHolds, server.url: RedisHolds}
    for url, kind in kinds.items():
        holds = open_holds(url, tmp_path)
        assert type(holds) is kind
        holds.close()
    assert (tmp_path / FILE).is_file()
    assert (tmp_path / "shared.db").is_file()


def test_another_url_is_an_error_that_does_not_tell_its_secrets(tmp_path: Path) -> None:
    with pytest.raises(HoldsError, match="or Redis by its URL") as caught:
        open_holds("postgresql://me:secret@host/db", tmp_path)
    assert "secret" not in str(caught.value)

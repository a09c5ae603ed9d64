from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stores.holds.servers import KINDS, Server, fresh, opened
from underspend.core.holds import Holds


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def holds(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> Iterator[Holds]:
    with fresh(request.param, tmp_path, server) as place:
        store = opened(request.param, place)
        yield store
        store.close()

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stores.replies.conformance import redis_server


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(Path(tmp_path_factory.mktemp("redis"))) as url:
        yield url

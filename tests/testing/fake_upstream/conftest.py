"""A running upstream for each test that asks for one, and short ways to talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from testing.fake_upstream.exchange import Ask, Got, fetch, message
from underspend.testing.fake_upstream import FakeUpstream, run_in_thread


@pytest.fixture
def up() -> Iterator[FakeUpstream]:
    with run_in_thread() as running:
        yield running


@pytest.fixture
def ask(up: FakeUpstream) -> Ask:
    def bound(path: str = "/v1/messages", body: Any = None, **how: Any) -> Got:
        return fetch(up, path, body, **how)

    return bound


@pytest.fixture
def say(up: FakeUpstream) -> Ask:
    """Asks for a message: text, then body fields; `headers` go on the request."""

    def bound(text: str = "Hello", headers: dict[str, str] | None = None, **more: Any) -> Got:
        return fetch(up, "/v1/messages", message(text, **more), headers=headers)

    return bound

from __future__ import annotations

import time

import pytest

from underspend.testing.fake_upstream.clock import SECOND, FakeClock, rfc3339


def test_a_fixed_clock_moves_only_when_told() -> None:
    clock = FakeClock(1_000)
    assert (clock.now(), clock.now()) == (1_000, 1_000)
    assert clock.advance(1.5) == 1_000 + 1_500_000


def test_a_running_clock_keeps_its_distance() -> None:
    clock = FakeClock()
    clock.advance(3600)
    assert abs(clock.now() - time.time_ns() // 1000 - 3600 * SECOND) < SECOND


def test_the_clock_never_goes_back() -> None:
    with pytest.raises(ValueError, match="forward"):
        FakeClock().advance(-1)


def test_times_as_the_api_writes_them() -> None:
    assert rfc3339(1_795_160_246_211_489) == "2026-11-20T07:37:26.211489Z"
    assert rfc3339(1_795_160_246_211_489, whole_seconds=True) == "2026-11-20T07:37:26Z"

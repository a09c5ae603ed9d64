from datetime import UTC, datetime

from underspend.gateway.clock import SystemClock, elapsed_us


def test_now_is_the_present_in_microseconds():
    assert abs(SystemClock().now() / 1e6 - datetime.now(UTC).timestamp()) < 60  # noqa: TID251  # the real clock is its subject


def test_elapsed_time_never_goes_back():
    readings = [elapsed_us() for _ in range(1000)]
    assert readings == sorted(readings)

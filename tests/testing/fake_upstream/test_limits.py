from __future__ import annotations

import pytest

from underspend.testing.fake_upstream.api_error import ApiError
from underspend.testing.fake_upstream.bill import Counts
from underspend.testing.fake_upstream.clock import SECOND
from underspend.testing.fake_upstream.limits import Limits, RateLimiter


def test_headers_report_limit_remaining_and_reset() -> None:
    limiter = RateLimiter(Limits(requests=10, input_tokens=100, output_tokens=50))
    limiter.enter("w", now=0)
    limiter.spend("w", Counts(input=7, cache_write_5m=3, cache_read=90, output=5), now=0)
    said = dict(limiter.headers("w", now=1))
    assert said["anthropic-ratelimit-requests-remaining"] == "9"
    assert said["anthropic-ratelimit-input-tokens-remaining"] == "90"
    assert said["anthropic-ratelimit-output-tokens-remaining"] == "45"
    assert said["anthropic-ratelimit-tokens-limit"] == "150"
    assert said["anthropic-ratelimit-tokens-reset"] == "1970-01-01T00:01:00Z"
    assert len(said) == 12


def test_a_new_minute_and_another_workspace_start_afresh() -> None:
    limiter = RateLimiter(Limits(requests=2, enforce=True))
    limiter.enter("w", now=0)
    limiter.enter("w", now=0)
    limiter.enter("other", now=0)
    with pytest.raises(ApiError, match="requests"):
        limiter.enter("w", now=59 * SECOND)
    limiter.enter("w", now=60 * SECOND)


def test_without_enforcement_nothing_is_refused() -> None:
    limiter = RateLimiter(Limits(requests=1))
    for _ in range(5):
        limiter.enter("w", now=0)
    assert dict(limiter.headers("w", now=0))["anthropic-ratelimit-requests-remaining"] == "0"


@pytest.mark.parametrize(("now", "seconds"), [(0, 60), (59 * SECOND, 1), (59 * SECOND + 999_999, 1)])
def test_retry_after_is_the_rest_of_the_minute(now: int, seconds: int) -> None:
    assert RateLimiter().retry_after(now=now) == seconds

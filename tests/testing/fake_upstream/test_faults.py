from __future__ import annotations

import pytest

from underspend.testing.fake_upstream.api_error import ApiError
from underspend.testing.fake_upstream.faults import Delivery, Fault, delivery_in, fault_in, prompt_too_long


def test_unset_fields_follow_the_status() -> None:
    error = Fault(status=529).error()
    assert (error.status, error.kind, error.message) == (529, "overloaded_error", "Overloaded")


def test_headers_of_a_fault() -> None:
    fault = Fault(status=429, retry_after=1.5, should_retry=False, headers={"x-a": "b"})
    assert fault.extra_headers() == {"x-a": "b", "retry-after": "1.5", "x-should-retry": "false"}


def test_a_fault_is_read_from_headers() -> None:
    asked = {
        "x-fake-status": "429",
        "x-fake-retry-after": "7",
        "x-fake-error-message": "slow down",
        "x-fake-error-type": "custom_error",
        "x-fake-should-retry": "true",
        "x-fake-ttfb-ms": "5",
    }
    fault = fault_in(asked)
    assert fault is not None
    assert (fault.status, fault.kind, fault.message, fault.retry_after) == (429, "custom_error", "slow down", 7)
    assert (fault.should_retry, fault.delivery.ttfb_ms) == (True, 5)
    assert fault_in({}) is None


def test_delivery_headers_change_only_what_they_name() -> None:
    base = Delivery(event_gap_ms=3)
    assert delivery_in({}, base) is base
    changed = delivery_in({"x-fake-cut-at-byte": "10", "x-fake-gzip": "true", "x-fake-cut-how": "reset"}, base)
    assert (changed.cut_at_byte, changed.gzip, changed.cut_how, changed.event_gap_ms) == (10, True, "reset", 3)


@pytest.mark.parametrize("headers", [{"x-fake-cut-at-byte": "ten"}, {"x-fake-cut-how": "gently"}])
def test_unreadable_headers_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ApiError, match="x-fake"):
        delivery_in(headers, Delivery())


def test_the_wording_that_makes_the_client_compact() -> None:
    assert prompt_too_long(200_001, 200_000).error().message == ("prompt is too long: 200001 tokens > 200000 maximum")

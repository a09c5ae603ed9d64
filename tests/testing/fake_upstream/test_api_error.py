from __future__ import annotations

import json

import pytest

from underspend.testing.fake_upstream.api_error import TYPES, ApiError, invalid


@pytest.mark.parametrize("status", sorted(TYPES))
def test_the_body_has_the_shape_of_the_api(status: int) -> None:
    body = json.loads(ApiError(status, "why").body("req_1"))
    assert body == {
        "type": "error",
        "error": {"type": TYPES[status], "message": "why"},
        "request_id": "req_1",
    }


def test_details_and_kind_can_be_given() -> None:
    error = ApiError(429, "limit", "rate_limit_error", {"error_code": "enforced_spend_limit_reached"})
    assert json.loads(error.body("r"))["error"]["details"] == {"error_code": "enforced_spend_limit_reached"}


def test_invalid_is_a_400() -> None:
    assert (invalid("no").status, invalid("no").kind) == (400, "invalid_request_error")

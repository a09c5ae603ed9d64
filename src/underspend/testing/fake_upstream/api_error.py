"""Errors in the shape of the Messages API."""

from __future__ import annotations

from typing import Any

import msgspec

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
MESSAGES = {
    401: "invalid x-api-key",
    413: "Request exceeds the maximum size",
    429: "This request would exceed your organization's rate limit",
    500: "Internal server error",
    529: "Overloaded",
}


class ApiError(Exception):
    """A request the provider turns down. `status` is the HTTP status, `kind` the `error.type` of the body."""

    def __init__(
        self, status: int, message: str, kind: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind or TYPES.get(status, "api_error")
        self.message = message
        self.details = details

    def body(self, request_id: str) -> bytes:
        """The JSON body: `{"type":"error","error":{"type","message"[,"details"]},"request_id"}`."""
        error: dict[str, Any] = {"type": self.kind, "message": self.message}
        if self.details is not None:
            error["details"] = self.details
        return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})


def invalid(message: str) -> ApiError:
    """A 400 `invalid_request_error`."""
    return ApiError(400, message)

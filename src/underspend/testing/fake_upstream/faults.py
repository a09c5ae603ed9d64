"""What can go wrong on purpose: error answers, and the ways a good answer is spoiled on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import msgspec

from underspend.testing.fake_upstream.api_error import MESSAGES, TYPES, ApiError, invalid

PREFIX = "x-fake-"
T = TypeVar("T")


class Delivery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an answer travels. Events are counted from 1 and include pings; bytes are bytes of the body as sent.

    `cut_after_event` and `cut_at_byte` end the connection there, politely (`close`) or not (`reset`).
    `stall_ms` waits after event `stall_after_event` and then goes on. `error_after_event` sends an SSE `error`
    event there and ends the stream. `gzip` compresses when the client accepts it. `chunk_bytes` cuts the body
    into writes of that size.
    """

    ttfb_ms: float = 0
    event_gap_ms: float = 0
    stall_ms: float = 0
    stall_after_event: int = 1
    cut_after_event: int | None = None
    cut_at_byte: int | None = None
    cut_how: Literal["close", "reset"] = "close"
    error_after_event: int | None = None
    error_type: str = "overloaded_error"
    error_message: str = "Overloaded"
    drop_message_stop: bool = False
    gzip: bool = False
    chunk_bytes: int | None = None


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="fault", forbid_unknown_fields=True):
    """An error answer. Nothing is cached or billed. Unset fields get the API's usual values for the status.

    `retry_after` is in seconds. `should_retry` sends `x-should-retry`. `body` replaces the whole body.
    """

    status: int
    kind: str | None = None
    message: str | None = None
    retry_after: float | None = None
    should_retry: bool | None = None
    details: dict[str, Any] | None = None
    headers: dict[str, str] = {}
    body: str | None = None
    delivery: Delivery = Delivery()

    def error(self) -> ApiError:
        """The error as the API would raise it."""
        message = self.message or MESSAGES.get(self.status, TYPES.get(self.status, "api_error"))
        return ApiError(self.status, message, self.kind, self.details)

    def extra_headers(self) -> dict[str, str]:
        """The headers this fault adds to the answer."""
        added = dict(self.headers)
        if self.retry_after is not None:
            added["retry-after"] = f"{self.retry_after:g}"
        if self.should_retry is not None:
            added["x-should-retry"] = "true" if self.should_retry else "false"
        return added


def prompt_too_long(tokens: int, maximum: int) -> Fault:
    """The 400 that makes Claude Code compact its conversation."""
    return Fault(status=400, message=f"prompt is too long: {tokens} tokens > {maximum} maximum")


def fault_in(headers: Mapping[str, str]) -> Fault | None:
    """The fault asked for by `x-fake-status` and its companions, or None."""
    status = headers.get(PREFIX + "status")
    if status is None:
        return None
    asked: dict[str, object] = {"status": status, "kind": headers.get(PREFIX + "error-type")}
    asked["message"] = headers.get(PREFIX + "error-message")
    asked["retry_after"] = headers.get(PREFIX + "retry-after")
    asked["should_retry"] = headers.get(PREFIX + "should-retry")
    asked["delivery"] = delivery_in(headers, Delivery())
    return _converted({k: v for k, v in asked.items() if v is not None}, Fault)


def delivery_in(headers: Mapping[str, str], base: Delivery) -> Delivery:
    """`base` changed by the `x-fake-*` headers that name its fields (`x-fake-ttfb-ms`, `x-fake-gzip`, ...)."""
    asked: dict[str, str] = {}
    for name in Delivery.__struct_fields__:
        value = headers.get(PREFIX + name.replace("_", "-"))
        if value is not None:
            asked[name] = value
    if not asked:
        return base
    return _converted({**msgspec.structs.asdict(base), **asked}, Delivery)


def _converted(asked: Mapping[str, object], kind: type[T]) -> T:
    try:
        return msgspec.convert(asked, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(f"x-fake header: {error}") from error

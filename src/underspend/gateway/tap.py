"""Metering a reply as it passes. Whatever fails here, the reply goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from underspend.core.usage import Metered, Usage
from underspend.formats import encodings
from underspend.formats.anthropic_reply import AnthropicJsonMeter, AnthropicStreamMeter
from underspend.formats.gemini_reply import GeminiMeter
from underspend.formats.meter import ReplyMeter
from underspend.formats.openai_reply import OpenAiMeter
from underspend.gateway.headers import first
from underspend.gateway.transport import UpstreamReply
from underspend.providers.provider import ANTHROPIC, GEMINI

_NOTHING = Metered(provider="anthropic", model=None, units=(), reported=Usage(), complete=False, has_usage=False)
Fault = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Billing:
    """Who bills a reply: the dialect it comes in, the provider's name in the price catalogue, the model asked for."""

    dialect: str = ANTHROPIC
    provider: str = "anthropic"
    model: str | None = None

    def named(self, metered: Metered) -> Metered:
        """What was metered, by whom it was served; a reply that names no model is of the one asked for."""
        if self is AT_HOME:
            return metered
        return replace(metered, provider=self.provider, model=metered.model or self.model)


AT_HOME = Billing()


class Tap:
    """Sees every chunk of one reply.

    `size` counts the bytes that passed; `body` is the decoded reply when it is to be kept.
    """

    def __init__(
        self, reply: UpstreamReply, on_fault: Fault, *, keep: bool = False, billing: Billing = AT_HOME
    ) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self.request_id = first(reply.headers, b"request-id") or first(reply.headers, b"x-request-id")
        self.size = 0
        self._kept: list[bytes] | None = [] if keep else None
        self._on_fault = on_fault
        self._billing = billing
        content_type = first(reply.headers, b"content-type") or ""
        self.stream = "event-stream" in content_type
        self._meter: ReplyMeter | None = None
        self._found: Metered | None = None
        try:
            self._decode = encodings.decoder(first(reply.headers, b"content-encoding"))
        except ValueError as error:
            self._fail(error)
            return
        if self.stream or "json" in content_type:
            self._meter = _meter(billing, stream=self.stream)

    @property
    def seen(self) -> Usage:
        """Tokens known so far, of a reply under way."""
        return self._meter.seen if self._meter is not None else Usage()

    @property
    def body(self) -> bytes | None:
        """The reply as decoded, when it is to be kept."""
        return b"".join(self._kept) if self._kept is not None else None

    def see(self, chunk: bytes) -> None:
        """Take in a chunk that is about to be passed on."""
        self.size += len(chunk)
        self._found = None
        if self._meter is None:
            return
        try:
            plain = self._decode(chunk)
            self._meter.feed(plain)
            if self._kept is not None:
                self._kept.append(plain)
        except Exception as error:  # noqa: BLE001  # fail open: metering may not cost the user a reply
            self._fail(error)

    def finish(self) -> Metered:
        """What the reply reported; nothing when it could not be read."""
        if self._meter is None:
            return _NOTHING
        try:
            self._found = self._found or self._billing.named(self._meter.finish())
        except Exception as error:  # noqa: BLE001  # as above
            self._fail(error)
        return self._found or _NOTHING

    def _fail(self, error: Exception) -> None:
        self._meter = None
        self._on_fault("meter", f"{type(error).__name__}: {error}")


def _meter(billing: Billing, *, stream: bool) -> ReplyMeter:
    if billing.dialect == ANTHROPIC:
        return AnthropicStreamMeter() if stream else AnthropicJsonMeter()
    if billing.dialect == GEMINI:
        return GeminiMeter(stream=stream)
    return OpenAiMeter(stream=stream, provider=billing.provider)

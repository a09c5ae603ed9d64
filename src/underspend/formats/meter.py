"""Any provider's reply body → `Metered`: which dialect it is shows in the body itself."""

from __future__ import annotations

from typing import Protocol

import msgspec

from underspend.core.errors import MeterError
from underspend.core.usage import Metered, Usage
from underspend.formats.anthropic_reply import AnthropicJsonMeter, AnthropicStreamMeter
from underspend.formats.gemini_reply import GeminiMeter
from underspend.formats.lenient import Json, decode, obj
from underspend.formats.openai_reply import OpenAiMeter


class ReplyMeter(Protocol):
    """Takes a reply's bytes as they pass and says at the end what was billed."""

    @property
    def message_id(self) -> str | None:
        """The provider's id of the reply, once it is known."""
        ...

    @property
    def seen(self) -> Usage:
        """Tokens known so far."""
        ...

    def feed(self, chunk: bytes) -> None:
        """Take in the next bytes of the body."""
        ...

    def finish(self) -> Metered:
        """What was metered."""
        ...


def meter(body: bytes, *, source: str = "the input", provider: str | None = None) -> Metered:
    """Meter a whole reply body: JSON, SSE, or one SSE payload per line.

    Raises MeterError when it is none of the dialects known or holds no usage.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    stream, first = _shape(body, source)
    chosen = _dialect(first, stream=stream, source=source, provider=provider)
    chosen.feed(body if stream is not _LINES else _as_sse(body))
    metered = chosen.finish()
    if not metered.has_usage:
        raise MeterError(source=source, problem=_why_none(first))
    return metered


_JSON, _SSE, _LINES = "json", "sse", "lines"


def _shape(body: bytes, source: str) -> tuple[str, Json]:
    """Which of the three shapes the body has, and its first JSON object."""
    try:
        value = decode(body)
    except msgspec.DecodeError:
        return _stream_shape(body, source)
    if isinstance(value, list):
        return _JSON, obj(value[0] if value else {})
    first = obj(value)
    return (_LINES if first.get("type") == "message_start" else _JSON), first


def _stream_shape(body: bytes, source: str) -> tuple[str, Json]:
    for line in body.replace(b"\r", b"\n").split(b"\n"):
        payload = line.removeprefix(b"data:").strip()
        if not payload.startswith(b"{"):
            continue
        try:
            first = obj(decode(payload))
        except msgspec.DecodeError:
            continue
        if _known(first):
            return (_SSE if line.startswith(b"data:") else _LINES), first
    raise MeterError(source=source, problem="it is neither JSON nor a stream of server-sent events")


def _known(event: Json) -> bool:
    kind = str(event.get("type", ""))
    named = kind in {"message_start", "error"} or kind.startswith("response.")
    return named or "usageMetadata" in event or "candidates" in event or "choices" in event


def _dialect(first: Json, *, stream: str, source: str, provider: str | None) -> ReplyMeter:
    streamed = stream != _JSON
    if provider == "anthropic" or (provider is None and first.get("type") in {"message", "message_start"}):
        return AnthropicStreamMeter() if streamed else AnthropicJsonMeter()
    if provider in {"google", "gemini"} or (provider is None and ("usageMetadata" in first or "candidates" in first)):
        return GeminiMeter(stream=streamed)
    if provider is not None or _openai(first):
        return OpenAiMeter(stream=streamed, provider=provider or _openai_provider(first))
    raise MeterError(source=source, problem=_why_none(first))


def _openai(first: Json) -> bool:
    kind = str(first.get("type", ""))
    return (
        str(first.get("object", "")).startswith(("chat.completion", "response"))
        or kind.startswith("response.")
        or ("choices" in first)
    )


def _openai_provider(first: Json) -> str:
    # OpenRouter names the provider that served; nobody else in this dialect does.
    return "openrouter" if isinstance(first.get("provider"), str) else "openai"


def _why_none(first: Json) -> str:
    if "error" in first:
        return f"it is an error reply ({obj(first['error']).get('type') or 'no type'}); errors are not billed"
    return "it holds no usage"


def _as_sse(body: bytes) -> bytes:
    return b"".join(b"data: " + line.strip() + b"\n\n" for line in body.splitlines() if line.strip())

"""Gemini generateContent replies → `Metered`, from JSON (one object, or the array of a stream) or from SSE.

A stream is complete once a `finishReason` has come, or the prompt was blocked: every event of it has counts.
`promptTokenCount` includes `cachedContentTokenCount`; thoughts are billed as output; tool-use prompts as input.
"""

from __future__ import annotations

import msgspec

from underspend.core.usage import Metered, Unit, Usage
from underspend.formats.documents import Documents
from underspend.formats.lenient import Json, count, decode, items, obj, text


class GeminiMeter:
    """Feed it a body, JSON or SSE; `finish` says what was billed. The counts of a stream are cumulative."""

    def __init__(self, *, stream: bool) -> None:
        self._documents = Documents(stream=stream)
        self._ended = not stream
        self._body: Json = {}
        self._usage: Json = {}
        self.seen = Usage()
        self.message_id: str | None = None

    def feed(self, chunk: bytes) -> None:
        """Take in the next bytes of the body."""
        for data in self._documents.feed(chunk):
            self._take(data)

    def finish(self) -> Metered:
        """What was metered; not complete where no usage came."""
        for data in self._documents.finish():
            self._take(data)
        return _metered(self._body, self._usage, ended=self._ended)

    def _take(self, data: bytes) -> None:
        try:
            value = decode(data)
        except msgspec.DecodeError:
            return
        for event in items(value) if isinstance(value, list) else [obj(value)]:
            self._usage.update(obj(event.get("usageMetadata")))
            self._body.update(event)
            self._ended |= _ends(event)
        self.message_id = text(self._body.get("responseId"))
        self.seen = _lanes(self._usage)


def _ends(event: Json) -> bool:
    finished = any(text(candidate.get("finishReason")) for candidate in items(event.get("candidates")))
    return finished or text(obj(event.get("promptFeedback")).get("blockReason")) is not None


def _lanes(usage: Json) -> Usage:
    cached = count(usage.get("cachedContentTokenCount"))
    prompt = count(usage.get("promptTokenCount")) + count(usage.get("toolUsePromptTokenCount"))
    return Usage(
        input=max(0, prompt - cached),
        cache_read=cached,
        output=count(usage.get("candidatesTokenCount")) + count(usage.get("thoughtsTokenCount")),
    )


def _metered(body: Json, usage: Json, *, ended: bool) -> Metered:
    lanes = _lanes(usage)
    candidates = items(body.get("candidates"))
    return Metered(
        provider="google",
        model=text(body.get("modelVersion")),
        units=(Unit("message", lanes),) if usage else (),
        reported=lanes,
        message_id=text(body.get("responseId")),
        stop_reason=text(candidates[0].get("finishReason")) if candidates else None,
        thinking_tokens=count(usage.get("thoughtsTokenCount")),
        service_tier=text(usage.get("serviceTier")),
        complete=bool(usage) and ended,
        has_usage=bool(usage),
    )

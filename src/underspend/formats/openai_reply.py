"""OpenAI Chat Completions and Responses replies → `Metered`, from JSON or from a stream."""

from __future__ import annotations

import msgspec

from underspend.core.usage import Metered, Unit, Usage
from underspend.formats import openai_usage
from underspend.formats.documents import Documents
from underspend.formats.lenient import Json, count, decode, obj, text

_FINAL = {"response.completed", "response.incomplete", "response.failed"}


class OpenAiMeter:
    """Feed it a body, JSON or SSE; `finish` says what was billed.

    In a stream the usage is in the last chunk that has one (Chat, only when the client asked with
    `stream_options.include_usage`) or in `response.completed` (Responses).
    """

    def __init__(self, *, stream: bool, provider: str = "openai") -> None:
        self._documents = Documents(stream=stream)
        self._body: Json = {}
        self._provider = provider
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
        return metered_body(self._body, provider=self._provider)

    def _take(self, data: bytes) -> None:
        try:
            event = obj(decode(data))
        except msgspec.DecodeError:
            return
        kind = event.get("type")
        if isinstance(kind, str) and kind.startswith("response."):
            response = obj(event.get("response"))
            self.message_id = text(response.get("id")) or self.message_id
            if kind in _FINAL:
                self._body = response
            elif response:
                # Whose reply it is stays known where the stream breaks off.
                self._body = {name: response.get(name) for name in ("id", "model", "service_tier")}
            return
        self._body.update({name: value for name, value in event.items() if value is not None})
        self.message_id = text(self._body.get("id"))


def metered_body(body: Json, *, provider: str = "openai") -> Metered:
    """What a whole reply object says about its bill."""
    usage = obj(body.get("usage"))
    if not usage:
        # Groq puts the usage of a stream in its own extension.
        usage = obj(obj(body.get("x_groq")).get("usage"))
    lanes = openai_usage.lanes(usage)
    return Metered(
        provider=provider,
        model=text(body.get("model")),
        units=(Unit("message", lanes),) if usage else (),
        reported=lanes,
        message_id=text(body.get("id")),
        stop_reason=_stop_reason(body),
        thinking_tokens=openai_usage.thinking(usage),
        web_searches=count(obj(obj(body.get("tool_usage")).get("web_search")).get("num_requests")),
        service_tier=text(body.get("service_tier")),
        complete=bool(usage),
        has_usage=bool(usage),
    )


def _stop_reason(body: Json) -> str | None:
    choices = body.get("choices")
    if isinstance(choices, list) and choices:
        return text(obj(choices[0]).get("finish_reason"))
    return text(body.get("status"))

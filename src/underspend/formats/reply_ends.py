"""How a whole reply ended, and what it holds, as far as it matters to whether an equal call may get it again.

An open list is no good here: what we do not know of a reply is named as strange, and such replies are not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from underspend.core.replies import Ended
from underspend.formats.documents import Documents
from underspend.formats.lenient import Json, decode, items, obj, text

_SPOKEN = frozenset({"text", "thinking", "redacted_thinking"})
_EVENTS = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
        "error",
    }
)
_OUTPUTS = frozenset({"message", "reasoning"})
_GEMINI_PARTS = frozenset({"text", "thought", "thoughtSignature"})
_DONE = b"[DONE]"


@dataclass(slots=True)
class _Seen:
    """What has been seen of a reply so far."""

    begun: int = 0
    whole: bool = False
    stop: str = ""
    uses_tools: bool = False
    refused: bool = False
    failed: bool = False
    strange: str = ""
    done: bool = False

    def holds(self, kind: str, spoken: frozenset[str]) -> None:
        """Take in the kind of one part."""
        if "tool" in kind or "call" in kind:
            self.uses_tools = True
        elif kind == "refusal":
            self.refused = True
        elif kind not in spoken:
            self.strange = self.strange or f"a part of kind {kind or 'unknown'}"


def ended(body: bytes, *, status: int, stream: bool, dialect: str) -> Ended:
    """What the rules ask of a reply's whole body, its content coding undone. Never raises.

    `dialect` is one of "anthropic", "openai" (chat), "responses" and "gemini".
    """
    seen = _Seen()
    try:
        broken = _read(body, stream=stream, take=_READERS[dialect], seen=seen)
        if stream and dialect == "openai":
            broken |= not seen.done
    except (msgspec.DecodeError, RecursionError, KeyError):
        broken = True
    return Ended(
        status=status,
        whole=seen.whole and seen.begun == 1 and not broken,
        stop=seen.stop,
        uses_tools=seen.uses_tools,
        refused=seen.refused or seen.stop in {"refusal", "content_filter"},
        failed=seen.failed,
        strange=seen.strange,
        size=len(body),
    )


def _read(body: bytes, *, stream: bool, take: Callable[[Json, _Seen, bool], None], seen: _Seen) -> bool:
    """Take the body in; says whether it breaks off in the middle or goes on after its end."""
    documents = Documents(stream=stream)
    whole = documents.feed(body)
    rest = documents.finish()
    if not stream:
        value = decode(rest[0])
        for part in items(value) if isinstance(value, list) else [obj(value)]:
            take(part, seen, False)
        return False
    for document in whole:
        if document.strip() == _DONE:
            seen.done = True
        else:
            take(obj(decode(document)), seen, True)
    return any(rest)


def _anthropic(event: Json, seen: _Seen, streamed: bool) -> None:
    kind = text(event.get("type")) or ""
    if not streamed:
        seen.begun, seen.whole, seen.failed = 1, kind == "message", kind == "error"
        seen.stop = text(event.get("stop_reason")) or ""
        _all_of(event.get("content"), seen, _SPOKEN)
        return
    if seen.whole and kind != "ping":
        seen.strange = "something after its end"
    match kind:
        case "message_start":
            seen.begun += 1
            _all_of(obj(event.get("message")).get("content"), seen, _SPOKEN)
        case "content_block_start":
            _all_of([event.get("content_block")], seen, _SPOKEN)
        case "message_delta":
            seen.stop = text(obj(event.get("delta")).get("stop_reason")) or seen.stop
        case "message_stop":
            seen.whole = True
        case "error":
            seen.failed = True
        case _ if kind not in _EVENTS:
            seen.strange = f"an event of kind {kind or 'unknown'}"


def _all_of(parts: object, seen: _Seen, spoken: frozenset[str]) -> None:
    for part in parts if isinstance(parts, list) else []:
        seen.holds(text(obj(part).get("type")) or "", spoken)


def _chat(event: Json, seen: _Seen, streamed: bool) -> None:
    seen.failed |= "error" in event
    choices = items(event.get("choices"))
    seen.begun = 1
    for choice in choices:
        said = obj(choice.get("delta" if streamed else "message"))
        seen.uses_tools |= bool(said.get("tool_calls") or said.get("function_call"))
        seen.refused |= bool(said.get("refusal"))
        stop = text(choice.get("finish_reason"))
        if stop:
            seen.stop = stop if seen.stop in {"", stop} else "several reasons"
            seen.whole = True


def _responses(event: Json, seen: _Seen, streamed: bool) -> None:
    kind = text(event.get("type")) or ""
    if streamed and kind not in {"response.completed", "response.failed", "response.incomplete"}:
        seen.begun = 1
        seen.failed |= kind == "error"
        return
    reply = obj(event.get("response")) if streamed else event
    seen.begun = 1
    seen.stop = text(reply.get("status")) or ""
    seen.whole = seen.stop == "completed"
    seen.failed |= bool(reply.get("error"))
    for output in items(reply.get("output")):
        seen.holds(text(output.get("type")) or "", _OUTPUTS)
        for part in items(output.get("content")):
            seen.holds(text(part.get("type")) or "", frozenset({"output_text", "reasoning_text"}))


def _gemini(event: Json, seen: _Seen, streamed: bool) -> None:
    del streamed
    seen.begun = 1
    seen.failed |= "error" in event
    seen.refused |= bool(obj(event.get("promptFeedback")).get("blockReason"))
    for candidate in items(event.get("candidates")):
        for part in items(obj(candidate.get("content")).get("parts")):
            seen.uses_tools |= any("function" in name or "ode" in name for name in part)
            odd = [name for name in part if name not in _GEMINI_PARTS]
            seen.strange = seen.strange or (f"a part of kind {odd[0]}" if odd else "")
        stop = text(candidate.get("finishReason"))
        if stop:
            seen.stop, seen.whole = (stop if seen.stop in {"", stop} else "several reasons"), True


_READERS: dict[str, Callable[[Json, _Seen, bool], None]] = {
    "anthropic": _anthropic,
    "openai": _chat,
    "responses": _responses,
    "gemini": _gemini,
}

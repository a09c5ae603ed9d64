"""Replies of the Gemini API, whole and streamed → the neutral form.

A stream is made of the same objects as a whole reply. Signatures of thoughts and of function calls are kept; those of
text, which Gemini does not ask back, are not. Function calls without an id get one of the reply's id and their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from underspend.core.usage import Metered, Usage
from underspend.formats import gemini_reply
from underspend.formats.dialects.gemini_arguments import Arguments
from underspend.formats.dialects.gemini_contents import DIALECT
from underspend.formats.dialects.gemini_problem import fault, in_stream, stop_of
from underspend.formats.dialects.keepalive import COMMENT, LivelyParser
from underspend.formats.dialects.neutral import (
    Alive,
    Answer,
    Began,
    Ended,
    Event,
    More,
    Part,
    PartBegan,
    PartEnded,
    Problem,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolUse,
)
from underspend.formats.dialects.tool_labels import made_id
from underspend.formats.lenient import Json, decode, items, obj, text

_BROKEN_OFF = "the provider's stream broke off before its end"


def read_answer(body: bytes) -> Answer:
    """A whole reply. Raises ValueError for what is none, and for one that went wrong."""
    try:
        whole = obj(decode(body))
    except msgspec.DecodeError as error:
        raise ValueError(f"the reply is no JSON: {error}") from error
    reply = Reply()
    events = [*reply.take(whole), *reply.end()]
    began, ended = events[0], events[-1]
    if not isinstance(began, Began) or not isinstance(ended, Ended):
        raise ValueError(ended.message if isinstance(ended, Problem) else "no reply")  # noqa: TRY004  # by contract
    return Answer(
        id=began.id,
        model=began.model,
        parts=_joined(events),
        stop=ended.stop,
        usage=ended.usage,
        thinking_tokens=ended.thinking_tokens,
    )


class GeminiEventReader:
    """Feed it the bytes of `streamGenerateContent`: server-sent events, or the array that comes without `alt=sse`.

    The end is said by `finish`, for the last counts may come after the last words.
    """

    def __init__(self) -> None:
        self._sse = LivelyParser()
        self._array: list[bytes] | None = None
        self._started = False
        self._reply = Reply()

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that these bytes complete. Of an array there are none before its end."""
        if not self._started and data.strip():
            self._started = True
            self._array = [] if data.lstrip()[:1] in {b"[", b"{"} else None
        if self._array is not None:
            self._array.append(data)
            return []
        return [event for document in self._sse.feed(data) for event in self._take(document)]

    def finish(self) -> Sequence[Event]:
        """What is left, and the end; a `Problem` where the stream broke off."""
        documents = self._sse.finish() if self._array is None else [b"".join(self._array)]
        left = [event for document in documents for event in self._take(document)]
        return [*left, *self._reply.end()]

    def _take(self, document: bytes) -> list[Event]:
        if document == COMMENT:
            return [Alive()]
        try:
            value = decode(document)
        except msgspec.DecodeError:
            return []
        chunks = items(value) if isinstance(value, list) else [obj(value)]
        return [event for chunk in chunks for event in self._reply.take(chunk)]


class Reply:
    """One reply, object by object."""

    def __init__(self) -> None:
        self._began = False
        self._over = False
        self._id = ""
        self._usage: Json = {}
        self._open: Text | Thinking | ToolUse | None = None
        self._signature = ""
        self._arguments: Arguments | None = None
        self._calls = 0
        self._reason: str | None = None
        self._message: str | None = None

    def take(self, chunk: Json) -> list[Event]:
        """The events of one object."""
        if self._over:
            return []
        if obj(chunk.get("error")):
            self._over = True
            return [in_stream(obj(chunk["error"]))]
        self._usage.update(obj(chunk.get("usageMetadata")))
        said = self._begin(chunk)
        candidates = items(chunk.get("candidates"))
        if candidates:
            for part in items(obj(candidates[0].get("content")).get("parts")):
                said += self._part(part)
            self._reason = text(candidates[0].get("finishReason")) or self._reason
            self._message = text(candidates[0].get("finishMessage")) or self._message
        feedback = obj(chunk.get("promptFeedback"))
        if text(feedback.get("blockReason")):
            self._reason, self._message = "SAFETY", text(feedback.get("blockReasonMessage"))
        return said

    def end(self) -> list[Event]:
        """The end of the reply, or the fault that it is."""
        if self._over:
            return []
        self._over = True
        if self._reason is None:
            return [Problem("api_error", _BROKEN_OFF)]
        stop = stop_of(self._reason)
        if stop is None or self._arguments is not None:
            return [*self._close(), fault(self._reason, self._message)]
        said = self._close()
        if stop is Stop.REFUSAL and self._message:
            said += [PartBegan(Refusal("")), More(self._message), PartEnded()]
        if stop is Stop.END and self._calls:
            stop = Stop.TOOLS
        metered = _metered(self._usage)
        return [*said, Ended(stop, metered.reported, thinking_tokens=metered.thinking_tokens)]

    def _begin(self, chunk: Json) -> list[Event]:
        if self._began or not ("candidates" in chunk or "promptFeedback" in chunk):
            return []
        self._began = True
        self._id = text(chunk.get("responseId")) or ""
        usage: Usage = replace(_metered(self._usage).reported, output=0)
        return [Began(self._id, text(chunk.get("modelVersion")) or "", usage)]

    def _part(self, part: Json) -> list[Event]:
        if isinstance(part.get("functionCall"), dict):
            return self._call(part["functionCall"], text(part.get("thoughtSignature")) or "")
        words = part.get("text")
        if not isinstance(words, str):
            return []
        if part.get("thought") is not True:
            return self._words(Text(""), words)
        said = self._words(Thinking(dialect=DIALECT), words)
        self._signature = text(part.get("thoughtSignature")) or self._signature
        return said

    def _words(self, kind: Text | Thinking, words: str) -> list[Event]:
        """Words go on with the part that is open, where it is of their kind."""
        if not words:
            return []
        if type(self._open) is type(kind):
            return [More(words)]
        said = self._close()
        self._open = kind
        return [*said, PartBegan(kind), More(words)]

    def _call(self, call: Json, signature: str) -> list[Event]:
        said: list[Event] = []
        if self._arguments is None:
            said = self._close()
            name = text(call.get("name")) or ""
            self._open = ToolUse(text(call.get("id")) or self._made_id(call), name, "", signature=signature)
            self._arguments = Arguments()
            self._calls += 1
            said.append(PartBegan(self._open))
        self._arguments.take(call)
        if call.get("willContinue") is True:
            return said
        said.append(More(self._arguments.json))
        self._arguments = None
        return [*said, *self._close()]

    def _made_id(self, call: Json) -> str:
        # Two replies without an id of their own differ at least in what they call.
        return made_id(self._id or msgspec.json.encode(call, order="sorted").decode(), self._calls)

    def _close(self) -> list[Event]:
        if self._open is None:
            return []
        ended = PartEnded(self._signature if isinstance(self._open, Thinking) else "")
        self._open, self._signature = None, ""
        return [ended]


def _metered(usage: Json) -> Metered:
    meter = gemini_reply.GeminiMeter(stream=False)
    meter.feed(msgspec.json.encode({"usageMetadata": usage}))
    return meter.finish()


def _joined(events: Sequence[Event]) -> tuple[Part, ...]:
    """The parts that the events tell of, whole."""
    parts: list[Part] = []
    words: list[str] = []
    for event in events:
        match event:
            case PartBegan(part):
                parts.append(part)
                words = []
            case More(more):
                words.append(more)
            case PartEnded(signature):
                parts[-1] = _whole(parts[-1], "".join(words), signature)
    return tuple(parts)


def _whole(part: Part, words: str, signature: str) -> Part:
    match part:
        case ToolUse():
            return replace(part, arguments=words)
        case Thinking():
            return replace(part, text=words, signature=signature)
        case _:
            return Text(words) if isinstance(part, Text) else Refusal(words)
